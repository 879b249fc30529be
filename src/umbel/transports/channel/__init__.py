"""The kombu adapter: the only place that speaks kombu.

    Celery ── Transport ── Channel ─┬─ Routes       which queues get a message
                 │                  ├─ Claimer      which queue to ask, when, for how many
                 │                  ├─ Settlement   acks, releases and burials, in batches
                 │                  ├─ Waiting      what is claimed, and whose turn it is
                 │                  └─ Window       what Celery holds, and the prefetch limit
                 ├─ Membership, Keeper              the lease of this consumer
                 └─ Watch                           sleeps until there is something to do

With the event loop (prefork, threads, solo) the transport works once on every turn of the hub;
without it (gevent, clients) inside ``drain_events``. Either way one *turn* is: settle what has ended,
claim what there is room for, deliver it. The delivery tag of a message is the receipt of its claim,
so that an ack can never reach a later claim.
"""

from __future__ import annotations

from umbel.transports.channel.channel import Channel
from umbel.transports.channel.deliveries import Delivery, Intake
from umbel.transports.channel.transport import MemoryTransport, SqliteTransport

__all__ = ["Channel", "Delivery", "Intake", "MemoryTransport", "SqliteTransport"]
