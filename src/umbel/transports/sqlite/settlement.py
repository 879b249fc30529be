"""Settling claims: ack, release, dead letter, park. Each checks ownership in the statement that acts."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from umbel.clock import Timestamp
from umbel.transports.base import Burial, Receipt
from umbel.transports.sqlite.core import Core
from umbel.transports.sqlite.rows import dump_error, parse
from umbel.transports.sqlite.statements import QUEUES, SETTLEMENT

__all__ = ["SettlementPart"]


class _SomeFencedError(Exception):
    """Undoes a batch, so that it can be settled one by one: only then is known which are fenced."""


class SettlementPart(Core):
    """How a claim ends while its owner lives."""

    def ack(self, receipts: Sequence[Receipt]) -> Collection[Receipt]:
        """Remove claimed messages for good; return the fenced."""
        pairs = [receipt.partition(".")[::2] for receipt in dict.fromkeys(receipts)]
        if not pairs:
            return []
        try:
            self._ack_all(pairs)
        except _SomeFencedError:
            return self._ack_each(receipts)
        return []

    def release(self, receipts: Sequence[Receipt], *, visible_at: Timestamp | None = None) -> Collection[Receipt]:
        """Give claimed messages back to their old place; return the fenced."""
        now = self._clock.now()
        statement = SETTLEMENT.release if visible_at is None else SETTLEMENT.release_until
        fenced = self._settle(statement, receipts, {"now": now, "visible_at": visible_at})
        self._bell.ring()
        return fenced

    def dead_letter(self, burials: Sequence[Burial]) -> Collection[Receipt]:
        """Move claimed messages to the dead letters; return the fenced."""
        if not burials:
            return []
        orders = {burial.receipt: burial for burial in burials}
        fenced: list[Receipt] = []
        now = self._clock.now()
        with self._db.write() as connection:
            for receipt, number, fence in parse(orders):
                burial = orders[receipt]
                facts = {"id": number, "fence": fence, "now": now, "reason": str(burial.reason)}
                facts |= {"error": dump_error(burial.error), "error_code": burial.error.get("error_code")}
                if connection.execute(SETTLEMENT.bury, facts).rowcount == 1:
                    self._drop_messages(connection, [(number,)])
                else:
                    fenced.append(receipt)
        return fenced

    def park(self, receipts: Sequence[Receipt]) -> Collection[Receipt]:
        """Set claimed messages aside; return the fenced."""
        return self._settle(SETTLEMENT.park, receipts, {})

    def unpark(self, queue: str, tasks: Collection[str]) -> int:
        """Make the parked messages of these tasks ready, in their old place; return how many."""
        facts = {"queue": queue, "tasks": json.dumps(list(tasks)), "now": self._clock.now()}
        with self._db.write() as connection:
            count = connection.execute(SETTLEMENT.unpark, facts).rowcount
        if count:
            self._bell.ring()
        return count

    def _ack_all(self, pairs: Sequence[tuple[str, ...]]) -> None:
        """Ack all of them or, when one is fenced, none."""
        with self._db.write() as connection:
            if connection.executemany(SETTLEMENT.ack, pairs).rowcount != len(pairs):
                raise _SomeFencedError
            connection.executemany(QUEUES.drop_envelope, [(number,) for number, *_ in pairs])

    def _ack_each(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        fenced: list[Receipt] = []
        with self._db.write() as connection:
            for receipt, number, fence in parse(receipts):
                if connection.execute(SETTLEMENT.ack, (number, fence)).rowcount:
                    connection.execute(QUEUES.drop_envelope, (number,))
                else:
                    fenced.append(receipt)
        return fenced

    def _settle(self, statement: str, receipts: Sequence[Receipt], facts: dict[str, float | None]) -> list[Receipt]:
        if not receipts:
            return []
        fenced: list[Receipt] = []
        with self._db.write() as connection:
            for receipt, number, fence in parse(receipts):
                row = {**facts, "id": number, "fence": fence}
                if connection.execute(statement, row).rowcount == 0:
                    fenced.append(receipt)
        return fenced
