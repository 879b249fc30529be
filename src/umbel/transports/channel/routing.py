"""Which queues get a message: exchanges and bindings.

Bindings stand in the store, so that all processes share them. A binding carries its exchange type in
its pattern, so that a publisher need not know the type: empty for direct (the keys are equal), ``*``
for fanout, and a regular expression for topic.

What may be remembered: only hits on durable direct exchanges, for a second. Everything else (pidbox,
replies, events) is looked up each time, because a reply to a queue that has just gone must not
create it again, and a broadcast must reach a worker that has just come.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Any

from umbel.transports.base import Binding, Bindings

__all__ = ["Routes", "binding_of"]

_FANOUT = "*"
_REMEMBERED = 1.0


def binding_of(exchange: str, routing_key: str, queue: str, exchange_type: Any) -> Binding:  # noqa: ANN401 - kombu's
    """Return the binding that a kombu exchange type makes."""
    kind = exchange_type.type
    if kind == "topic":
        return Binding(exchange, routing_key, exchange_type.key_to_pattern(routing_key), queue)
    return Binding(exchange, routing_key, _FANOUT if kind == "fanout" else "", queue)


class Routes:
    """The bindings of one store. Safe for threads: entries are replaced, never changed."""

    def __init__(self, store: Bindings) -> None:
        self._store = store
        self._remembered: dict[tuple[str, str], tuple[float, list[str]]] = {}

    def bind(self, binding: Binding) -> None:
        """Add a binding; this process sees it at once."""
        self._store.bind(binding)
        self.forget()

    def unbind(self, binding: Binding) -> None:
        """Remove a binding."""
        self._store.unbind(binding)
        self.forget()

    def bindings(self, exchange: str) -> list[Binding]:
        """Return an exchange's bindings as they are now."""
        return list(self._store.bindings(exchange))

    def forget(self) -> None:
        """Look everything up again."""
        self._remembered = {}

    def lookup(self, exchange: str, routing_key: str, *, durable: bool) -> list[str]:
        """Return the queues that match, each once; ``durable`` says that a hit may be remembered."""
        if not durable:
            return self._matching(exchange, routing_key)
        key, now = (exchange, routing_key), time.monotonic()
        known = self._remembered.get(key)
        if known is not None and now - known[0] < _REMEMBERED:
            return known[1]
        queues = self._matching(exchange, routing_key)
        if queues:
            self._remembered[key] = (now, queues)
        return queues

    def _matching(self, exchange: str, routing_key: str) -> list[str]:
        matching = (b.queue for b in self._store.bindings(exchange) if _matches(b, routing_key))
        return list(dict.fromkeys(matching))


def _matches(binding: Binding, routing_key: str) -> bool:
    if not binding.pattern:
        return binding.routing_key == routing_key
    return binding.pattern == _FANOUT or _compiled(binding.pattern).match(routing_key) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
