"""Deliberate breakage, in the processes of one worker only: what the campaign must notice.

``slow_settlement`` breaks nothing: it widens the moment between storing results and the acks, so that a
kill hits it often. The healthy worker must survive that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from umbel.transports.channel.settlement import Settlement
from umbel.transports.sqlite.queues import QueuesPart
from umbel.transports.sqlite.settlement import SettlementPart

MOMENT = 0.03
"""Seconds that a widened moment lasts."""


def apply(names: str) -> None:
    """Apply the faults that are named, separated by commas."""
    for name in filter(None, names.split(",")):
        FAULTS[name]()


def slow_settlement() -> None:
    carry_out = Settlement._carry_out

    def slowly(self, batch):
        if batch.acks:
            time.sleep(MOMENT)
        carry_out(self, batch)

    Settlement._carry_out = slowly


def acks_first() -> None:
    """Acknowledge, and store the results after that."""
    attempt = Settlement._attempt

    def backwards(self, batch):
        acked = bool(batch.acks)
        store_results, self.barrier = self.barrier, _nothing
        try:
            done = attempt(self, batch)
        finally:
            self.barrier = store_results
        if acked:
            time.sleep(MOMENT)
        store_results()
        return done

    Settlement._attempt = backwards


def no_fencing() -> None:
    """Acknowledge by the message's number, whoever has it now."""

    def ack(self, receipts):
        numbers = [(receipt.partition(".")[0],) for receipt in receipts]
        with self._db.write() as connection:
            self._drop_messages(connection, numbers)
        return []

    SettlementPart.ack = ack


def no_deduplication() -> None:
    """Take every repeat for something new."""
    QueuesPart._remember = _always


def _nothing() -> None:
    pass


def _always(*_: object) -> bool:
    return True


FAULTS: dict[str, Callable[[], None]] = {
    "acks_first": acks_first,
    "no_deduplication": no_deduplication,
    "no_fencing": no_fencing,
    "slow_settlement": slow_settlement,
}
