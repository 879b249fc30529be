"""Exchanges' bindings, and the sweep of what has outlived its use."""

from __future__ import annotations

from collections.abc import Sequence

from umbel.transports.base import Binding
from umbel.transports.sqlite.queues import QueuesPart
from umbel.transports.sqlite.statements import BINDINGS

__all__ = ["BindingsPart"]


class BindingsPart(QueuesPart):
    """:class:`umbel.transports.base.Bindings`."""

    def bind(self, binding: Binding) -> None:
        """Add a binding."""
        with self._db.write() as connection:
            connection.execute(BINDINGS.bind, _row(binding))

    def unbind(self, binding: Binding) -> None:
        """Remove a binding."""
        with self._db.write() as connection:
            connection.execute(BINDINGS.unbind, _row(binding))

    def bindings(self, exchange: str) -> Sequence[Binding]:
        """Return the bindings of an exchange."""
        return [Binding(*row) for row in self._db.fetch(BINDINGS.bindings, (exchange,))]

    def queue_exists(self, queue: str) -> bool:
        """Return whether the queue exists."""
        return self._known_id(queue) is not None

    def sweep(self) -> int:
        """Delete outdated queues, messages that waited for too long, and old deduplication keys.

        Return how many queues were deleted.
        """
        now = self._clock.now()
        with self._db.write() as connection:
            outdated = connection.execute(BINDINGS.outdated, {"now": now}).fetchall()
            for (queue,) in outdated:
                self._drop_queue(connection, queue)
            for queue, ttl in connection.execute(BINDINGS.with_ttl).fetchall():
                facts = {"queue": queue, "fresh": now - ttl}
                self._drop_messages(connection, connection.execute(BINDINGS.outlived, facts).fetchall())
            connection.execute(BINDINGS.forget_dedup, (now,))
        return len(outdated)


def _row(binding: Binding) -> tuple[str, str, str, str]:
    return binding.exchange, binding.routing_key, binding.pattern, binding.queue
