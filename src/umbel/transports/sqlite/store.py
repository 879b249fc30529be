"""The SQLite store, put together from its contracts."""

from __future__ import annotations

from umbel.transports.base import Wakeup
from umbel.transports.sqlite.bindings import BindingsPart
from umbel.transports.sqlite.claims import ClaimsPart
from umbel.transports.sqlite.deadletters import DeadLettersPart
from umbel.transports.sqlite.inspection import InspectionPart
from umbel.transports.sqlite.presence import PresencePart
from umbel.transports.sqlite.settlement import SettlementPart

__all__ = ["SqliteStore"]


class SqliteStore(ClaimsPart, SettlementPart, PresencePart, DeadLettersPart, InspectionPart, BindingsPart):
    """Queues in one SQLite file, for all processes of one host; see :class:`umbel.transports.base.Store`.

    Beside ``NAME`` and SQLite's own ``NAME-wal`` and ``NAME-shm`` it keeps ``NAME-leases`` and ``NAME-wake/``.
    Options: ``busy_timeout`` (seconds), ``synchronous``, ``dedup_window`` (seconds), ``host`` (this
    host's identity; consumers of another identity are alive by their lease alone).

    >>> store = SqliteStore(Path("umbel.db"))  # doctest: +SKIP
    >>> store.publish("celery", [envelope])  # doctest: +SKIP
    [True]
    """

    def wakeup(self) -> Wakeup:
        """Return a new waker."""
        return self._bell.waiter()

    def close(self) -> None:
        """Release the connection, and the locks of the consumers that were registered here: they are dead now."""
        for consumer in list(self._registered):
            self._unlock(consumer)
        self._bell.close()
        self._db.close()
