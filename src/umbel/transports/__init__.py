"""Where messages wait: queue stores, and the kombu adapter over them.

Importing this package registers the URL schemes ``sqlite://`` and ``umbel-memory://`` with kombu, so
that plain Celery can use them. Nothing is opened, and no store is imported, before a connection is.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES

__all__: list[str] = []

TRANSPORT_ALIASES["sqlite"] = "umbel.transports.channel.transport:SqliteTransport"
TRANSPORT_ALIASES["umbel-memory"] = "umbel.transports.channel.transport:MemoryTransport"
