"""When a consumer is gone: what it held goes back, with the blame that is due."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from umbel.outcomes import Verdict
from umbel.transports.base import Reaped, Receipt
from umbel.transports.blame import Held, Sentence, judge, report
from umbel.transports.sqlite.queues import QueuesPart
from umbel.transports.sqlite.rows import parse
from umbel.transports.sqlite.statements import BINDINGS, SETTLEMENT

__all__ = ["ReapingPart"]


class ReapingPart(QueuesPart):
    """Reap, and the isolation that makes the next death count."""

    def reap(
        self,
        consumer: str,
        *,
        started: Collection[Receipt] | None,
        verdicts: Mapping[Receipt, Verdict] | None = None,
        crash_limit: int = 3,
    ) -> Reaped:
        """Release everything that a dead consumer held, forget it, and delete the queues that it owned.

        The consumer's row is what two reapers race for: only the one that removes it does the rest.
        """
        with self._db.write() as connection:
            gone = connection.execute(SETTLEMENT.forget_consumer, (consumer,)).fetchall()
            if not gone:
                return Reaped()
            rows = connection.execute(SETTLEMENT.held_by_owner, gone[0]).fetchall()
            sentences = judge([_held(row) for row in rows], started=started, verdicts=verdicts, crash_limit=crash_limit)
            self._carry_out(connection, sentences)
            for (queue,) in connection.execute(BINDINGS.owned_by, (consumer,)).fetchall():
                self._drop_queue(connection, queue)
        self._bell.ring()
        return report(sentences)

    def isolate(self, receipt: Receipt) -> bool:
        """Record that this claim is about to run alone; False when it is fenced."""
        with self._db.write() as connection:
            return any(connection.execute(SETTLEMENT.isolate, item[1:]).rowcount for item in parse([receipt]))

    def crash(self, receipt: Receipt, *, crash_limit: int = 3) -> Reaped:
        """Release one claim whose body's own process died alone, counting a crash."""
        with self._db.write() as connection:
            rows = [
                row for item in parse([receipt]) for row in connection.execute(SETTLEMENT.held_by_receipt, item[1:])
            ]
            sentences = judge([_held(row) for row in rows], started=[receipt], verdicts=None, crash_limit=crash_limit)
            self._carry_out(connection, sentences)
        self._bell.ring()
        return report(sentences)

    def _carry_out(self, connection: sqlite3.Connection, sentences: list[Sentence]) -> None:
        now = self._clock.now()
        rows = [
            (now, item.crashes, item.suspect, item.verdict and str(item.verdict), int(item.held.receipt.split(".")[0]))
            for item in sentences
        ]
        connection.executemany(SETTLEMENT.sentence, rows)


def _held(row: tuple[Any, ...]) -> Held:
    number, fence, task_id, crashes, suspect, alone, verdict = row
    receipt = f"{number}.{fence}"
    return Held(receipt, task_id, crashes, bool(suspect), bool(alone), verdict and Verdict(verdict))
