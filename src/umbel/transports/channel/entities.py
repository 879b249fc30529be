"""Exchanges, queues and bindings, as kombu declares them, on a store.

Exchanges exist only as what a connection has declared and what bindings say; queues and bindings
stand in the store. A queue that its consumer owns (``auto_delete`` or ``exclusive``) goes when the
consumer goes: at once when it is cancelled, and with its lease when it dies.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from amqp.protocol import queue_declare_ok_t
from kombu.exceptions import ChannelError
from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments
from kombu.transport.virtual.base import UndeliverableWarning
from kombu.utils.uuid import uuid

from umbel.errors import UnsupportedError
from umbel.transports.base import QueueOptions, Store
from umbel.transports.channel.routing import Routes, binding_of

if TYPE_CHECKING:
    from umbel.transports.channel.transport import Transport

__all__ = ["EntityChannel"]

_UNENFORCED = ("x-max-length", "x-max-length-bytes")


class EntityChannel(virtual.Channel):
    """The half of a channel that declares and routes."""

    supports_fanout = True
    from_transport_options = ("deadletter_queue",)

    def __init__(self, connection: Transport, **options: Any) -> None:  # noqa: ANN401 - kombu's own
        super().__init__(connection, **options)
        self.store: Store = connection.shared.store
        self._routes: Routes = connection.shared.routes
        self._own = connection.own_queues

    def prepare_queue_arguments(self, arguments: Mapping[str, Any] | None, **options: Any) -> Mapping[str, Any]:  # noqa: ANN401 - kombu's own
        """Keep a queue's expiry, message time to live and priorities (as RabbitMQ names them)."""
        prepared: Mapping[str, Any] = to_rabbitmq_queue_arguments(arguments or {}, **options)
        return prepared

    def queue_declare(self, queue: str | None = None, passive: bool = False, **options: Any) -> queue_declare_ok_t:  # noqa: ANN401, FBT001, FBT002 - kombu's signature
        """Create a queue, or with ``passive`` only look for it.

        Raises:
            ChannelError: it was looked for and is not there.
            UnsupportedError: it asks for a limit that no store here enforces.
        """
        queue = queue or f"amq.gen-{uuid()}"
        if not passive:
            self._new_queue(queue, **options)
        elif not self.store.queue_exists(queue):
            raise ChannelError(f"NOT_FOUND - no queue {queue!r}", (50, 10), "Channel.queue_declare", "404")
        return queue_declare_ok_t(queue, self.store.size(queue), 0)

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **_options: object) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Delete a queue and its bindings; ``if_unused`` knows the consumers of this connection."""
        if (if_empty and self.store.size(queue)) or (if_unused and self.connection.consumes(queue)):
            return
        self.store.delete(queue)
        self._own.discard(queue)
        self.state.queue_bindings_delete(queue)
        self._routes.forget()

    def queue_bind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: Mapping[str, Any] | None = None,
        **_options: object,
    ) -> None:
        """Bind a queue. Binding again is no loss of time worth saving: the store may have swept it."""
        exchange, routing_key = exchange or "amq.direct", routing_key or ""
        self.state.binding_declare(queue, exchange, routing_key, arguments)
        self._routes.bind(binding_of(exchange, routing_key, queue, self.typeof(exchange)))

    def queue_unbind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        _arguments: Mapping[str, Any] | None = None,
        **_options: object,
    ) -> None:
        """Remove a binding."""
        exchange, routing_key = exchange or "amq.direct", routing_key or ""
        self.state.binding_delete(queue, exchange, routing_key)
        self._routes.unbind(binding_of(exchange, routing_key, queue, self.typeof(exchange)))

    def exchange_delete(self, exchange: str, if_unused: bool = False, **_options: object) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Forget an exchange with its bindings; queues and their messages stay."""
        bindings = self._routes.bindings(exchange)
        if if_unused and bindings:
            return
        for binding in bindings:
            self.state.binding_delete(binding.queue, exchange, binding.routing_key)
            self._routes.unbind(binding)
        self.state.exchanges.pop(exchange, None)

    def queue_purge(self, queue: str, **_options: object) -> int:
        """Remove the waiting messages; return how many."""
        return self.store.purge(queue)

    def list_bindings(self) -> Iterator[tuple[str, str, str]]:
        """Yield (queue, exchange, routing key) of the exchanges that this connection has declared."""
        for exchange in list(self.state.exchanges):
            for binding in self._routes.bindings(exchange):
                yield binding.queue, exchange, binding.routing_key

    def get_table(self, exchange: str) -> list[tuple[str, str, str]]:
        """Return the bindings of an exchange in kombu's form: (routing key, pattern, queue)."""
        return [(b.routing_key, b.pattern, b.queue) for b in self._routes.bindings(exchange)]

    def destinations(self, exchange: str, routing_key: str, what: str) -> list[str]:
        """Return the queues that a message goes to. ``what`` names it in the warning when there is none."""
        if not exchange and routing_key:
            return [routing_key]
        declared = self.state.exchanges.get(exchange) or {}
        durable = bool(declared.get("durable")) and declared.get("type") == "direct"
        queues = self._routes.lookup(exchange, routing_key, durable=durable) if exchange else []
        if queues:
            return queues
        if self.deadletter_queue:
            return [self.deadletter_queue]
        if what:
            warnings.warn(
                UndeliverableWarning(f"{what}: no queue is bound to exchange {exchange!r} with key {routing_key!r}"),
                stacklevel=4,
            )
        return []

    def adopt(self, queue: str, consumer: str) -> None:
        """Make a queue of ours go when this consumer goes; make it again if a sweep came first."""
        self.store.create(queue, QueueOptions(owner=consumer))
        for bound in list(self.state.queue_bindings(queue)):
            self._routes.bind(binding_of(bound.exchange, bound.routing_key, queue, self.typeof(bound.exchange)))

    def owns(self, queue: str) -> bool:
        """Return whether the queue goes with its consumer."""
        return queue in self._own

    def _new_queue(self, queue: str, **options: Any) -> None:  # noqa: ANN401 - kombu's own
        arguments = options.get("arguments") or {}
        _refuse_limits(queue, arguments)
        self.store.create(
            queue,
            QueueOptions(expires=_seconds(arguments, "x-expires"), message_ttl=_seconds(arguments, "x-message-ttl")),
        )
        if options.get("auto_delete") or options.get("exclusive"):
            self._own.add(queue)

    def _has_queue(self, queue: str, **_options: object) -> bool:
        return self.store.queue_exists(queue)

    def _size(self, queue: str) -> int:
        return self.store.size(queue)

    def _purge(self, queue: str) -> int:
        return self.store.purge(queue)


def _seconds(arguments: Mapping[str, Any], name: str) -> float | None:
    milliseconds = arguments.get(name)
    return None if milliseconds is None else float(milliseconds) / 1000


def _refuse_limits(queue: str, arguments: Mapping[str, Any]) -> None:
    for name in _UNENFORCED:
        if arguments.get(name) is not None:
            raise UnsupportedError(
                f"queue {queue!r}: {name}={arguments[name]!r} asks for a length limit, which this broker does not have",
                hint=f"remove {name} from the queue's arguments",
                queue=queue,
                argument=name,
            )
