"""Dead letters: list, add, replay, discard, prune."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from umbel.clock import Timestamp
from umbel.message import LAYOUT, Envelope, replayed
from umbel.outcomes import Reason
from umbel.transports.base import DeadLetter, DeadLetterFilter
from umbel.transports.sqlite.queues import QueuesPart
from umbel.transports.sqlite.rows import dump_error
from umbel.transports.sqlite.statements import DEAD_LETTERS

__all__ = ["DeadLettersPart"]

_CONDITIONS = {
    "ids": "id IN (SELECT value FROM json_each(:ids))",
    "queue": "queue = :queue",
    "task": "task = :task",
    "task_id": "task_id = :task_id",
    "reason": "reason = :reason",
    "error_code": "error_code = :error_code",
    "before": "died_at < :before",
    "after": "died_at >= :after",
}


class DeadLettersPart(QueuesPart):
    """:class:`umbel.transports.base.DeadLetters`."""

    def list_dead(self, where: DeadLetterFilter) -> Sequence[DeadLetter]:
        """Return those that match, newest first."""
        condition, facts = _condition(where)
        facts["limit"] = -1 if where.limit is None else where.limit
        rows = self._db.fetch(DEAD_LETTERS.list.format(where=condition), facts)
        return [_letter(row) for row in rows]

    def count_dead(self, where: DeadLetterFilter) -> int:
        """Return how many match."""
        condition, facts = _condition(where)
        return int(self._db.fetch(DEAD_LETTERS.count.format(where=condition), facts)[0][0])

    def bury(self, queue: str, envelope: Envelope, reason: Reason, error: Mapping[str, Any]) -> str:
        """Add a dead letter for a message that is not claimed; return its id."""
        facts = (queue, str(reason), dump_error(error), error.get("error_code"), self._clock.now())
        with self._db.write() as connection:
            number = connection.execute(DEAD_LETTERS.bury, facts + _columns(envelope)).lastrowid
        return str(number)

    def replay(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Move dead letters back to their queues; return {dead letter id: task id}.

        An unknown id, and a letter whose layout only a newer version can read, is left out.
        """
        done: dict[str, str] = {}
        now = self._clock.now()
        with self._db.write() as connection:
            for letter in dict.fromkeys(ids):
                row = connection.execute(DEAD_LETTERS.get, (letter, LAYOUT)).fetchone()
                if row is None:
                    continue
                envelope = replayed(Envelope(*row[2:]))
                self._insert(connection, self._queue_id(connection, row[1], now), [envelope], now)
                connection.execute(DEAD_LETTERS.discard, (letter,))
                done[letter] = envelope.task_id
        if done:
            self._bell.ring()
        return done

    def discard(self, ids: Sequence[str]) -> int:
        """Remove dead letters for good; return how many."""
        with self._db.write() as connection:
            return connection.executemany(DEAD_LETTERS.discard, [(letter,) for letter in ids]).rowcount if ids else 0

    def prune_dead(self, *, max_age: float, max_count: int) -> int:
        """Remove those older than ``max_age`` seconds, then the oldest over ``max_count``."""
        oldest = self._clock.now() - max_age
        with self._db.write() as connection:
            aged = connection.execute(DEAD_LETTERS.prune_age, (oldest,)).rowcount
            return aged + connection.execute(DEAD_LETTERS.prune_count, (max_count,)).rowcount


def _condition(where: DeadLetterFilter) -> tuple[str, dict[str, Any]]:
    facts: dict[str, Any] = {}
    for name in _CONDITIONS:
        value = getattr(where, name)
        if value is not None:
            facts[name] = json.dumps(list(value)) if name == "ids" else value
    return " AND ".join(_CONDITIONS[name] for name in facts) or "1", facts


def _columns(envelope: Envelope) -> tuple[Any, ...]:
    return tuple(getattr(envelope, name) for name in Envelope.__slots__)


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    number, queue, reason, error, died_at, deliveries, crashes = row[:7]
    return DeadLetter(
        id=str(number),
        queue=queue,
        envelope=Envelope(*row[7:]),
        reason=Reason(reason),
        error=json.loads(error),
        died_at=Timestamp(died_at),
        deliveries=deliveries,
        crashes=crashes,
    )
