"""What operators ask of queues."""

from __future__ import annotations

from collections.abc import Sequence

from umbel.clock import Timestamp
from umbel.errors import QueueNotFoundError
from umbel.message import Envelope
from umbel.transports.base import Found, QueueStats
from umbel.transports.sqlite.core import Core
from umbel.transports.sqlite.rows import CLAIMED, DELAYED, PARKED, READY, STATES, task_hash
from umbel.transports.sqlite.statements import INSPECTION

__all__ = ["InspectionPart"]


class InspectionPart(Core):
    """:class:`umbel.transports.base.Inspection`."""

    def queues(self) -> Sequence[QueueStats]:
        """Return the counts of every queue, by name."""
        with self._db.read() as connection:
            queues = connection.execute(INSPECTION.queues).fetchall()
            counts = connection.execute(INSPECTION.counts, {"now": self._clock.now()}).fetchall()
        number = {(name, state): count for name, state, count, _ in counts}
        oldest = {name: Timestamp(since) for name, state, _, since in counts if state == READY}
        return [
            QueueStats(
                queue=name,
                ready=number.get((name, READY), 0),
                delayed=number.get((name, DELAYED), 0),
                claimed=number.get((name, CLAIMED), 0),
                parked=number.get((name, PARKED), 0),
                dead=dead,
                paused=bool(paused),
                oldest_ready=oldest.get(name),
            )
            for name, paused, dead in queues
        ]

    def find(self, task_id: str) -> Found | None:
        """Return where a message is, or None; of several with one id, the newest that is not dead."""
        with self._db.read() as connection:
            row = connection.execute(INSPECTION.find, (task_hash(task_id), task_id)).fetchone()
            dead = None if row else connection.execute(INSPECTION.find_dead, (task_id,)).fetchone()
        if row:
            envelope = Envelope(*row[3:])
            due = row[1] == DELAYED and envelope.visible_at <= self._clock.now()
            return Found(row[0], "ready" if due else STATES[row[1]], envelope, row[2])
        return Found(dead[0], "dead", Envelope(*dead[1:])) if dead else None

    def held(self, consumer: str) -> Sequence[Found]:
        """Return the messages that a consumer has claimed and not settled."""
        with self._db.read() as connection:
            rows = connection.execute(INSPECTION.held, (consumer,)).fetchall()
        return [Found(row[0], STATES[CLAIMED], Envelope(*row[2:]), row[1]) for row in rows]

    def cancel(self, task_id: str) -> bool:
        """Remove a message that waits; False when there is none."""
        with self._db.write() as connection:
            rows = connection.execute(INSPECTION.waiting, (task_hash(task_id), task_id)).fetchall()
            return self._drop_messages(connection, rows) > 0

    def pause(self, queue: str) -> None:
        """Stop claims from the queue. Raises QueueNotFoundError for an unknown one."""
        self._set_paused(queue, paused=True)

    def resume(self, queue: str) -> None:
        """Let claims go on. Raises QueueNotFoundError for an unknown queue."""
        self._set_paused(queue, paused=False)
        self._bell.ring()

    def _set_paused(self, queue: str, *, paused: bool) -> None:
        with self._db.write() as connection:
            if connection.execute(INSPECTION.pause, (paused, queue)).rowcount == 0:
                raise QueueNotFoundError(f"there is no queue named {queue!r} in {self.path}", queue=queue)
