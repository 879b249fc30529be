"""The short way of an ordinary message through Celery, in a slot's own thread.

Celery builds a message, a request and their callbacks for every delivery, which costs more than its
tracer. Most deliveries need none of that: nobody listens to task events, nothing is revoked, limited or
expired, and the body returns. Such a message goes straight to Celery's tracer, which is the same on both
ways, and is acknowledged when that has stored the result. Everything else takes the long way, from the
start; and what began here and did not succeed is handed over to Celery's request, which settles it.

What Celery's remote control shows of a running task is its request, so a body that runs for a while
(:data:`SHOWN_AFTER`) gets one.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from celery import signals
from celery.app.trace import LOG_RECEIVED
from celery.utils.log import get_logger
from celery.worker import state
from celery.worker.request import Request as CeleryRequest

from umbel import _celery
from umbel.transports.channel.deliveries import open_message
from umbel.worker.admission import is_ordinary
from umbel.worker.request import Request, request_class
from umbel.worker.slots import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from umbel.transports.base import Claim
    from umbel.transports.channel import Channel
    from umbel.worker.controller import ShardConsumer
    from umbel.worker.slots import Slot

logger = get_logger(__name__)

__all__ = ["SHOWN_AFTER", "Express", "Running"]

SHOWN_AFTER = 0.1
"""Seconds after which a running body is shown to ``inspect active``."""

_DECODE = msgspec.json.Decoder().decode
_MARK = b"__type__"
_PAIR = 2
_NO_LIMITS = (None, None)
_LONG_WAY_HEADERS = ("eta", "expires", "stamped_headers", "shadow", "compression")


class Running:
    """A body that runs on the short way."""

    __slots__ = ("claim", "request", "since", "task")

    def __init__(self, claim: Claim, task: Any, since: float) -> None:  # noqa: ANN401 - any Celery task
        self.claim = claim
        self.task = task
        self.since = since
        self.request: Any = None

    def on_soft_limit(self, _soft: bool, limit: float) -> None:  # noqa: FBT001 - Celery's signature
        """Say that the body has been interrupted."""
        logger.warning("Soft time limit (%ss) exceeded for %s[%s]", limit, self.task.name, self.claim.envelope.task_id)


class Express:
    """Carries ordinary deliveries of one consumer; made anew after each reconnect."""

    def __init__(self, consumer: ShardConsumer, channel: Channel, *, max_size: int) -> None:
        self._consumer = consumer
        self._channel = channel
        self._max_size = max_size
        self._settled = channel.settlement.ack
        self._logs = logger.isEnabledFor(logging.INFO)
        self._accepts_json = _celery.accepts_json(consumer.app)
        self._tracers = self._find_tracers()
        self._buckets = consumer.task_buckets
        self._counts: Counter[str] = Counter()

    def carry(self, slot: Slot, claim: Claim) -> bool:
        """Run the claim's body and settle it; False when it must take the long way, untouched."""
        try:
            opened = self._open(claim)
            if opened is None:
                return False
            tracer, task, head, payload = opened
            request = self._request(claim, head, payload)
        except Exception:  # noqa: BLE001 - whatever is odd about it, the long way finds out and says so
            return False
        if self._logs:
            _log_received(request)
        running = slot.current = Running(claim, task, time.monotonic())
        try:
            self._run(slot, running, tracer, request)
        finally:
            _end(slot, running)
        return True

    def tend(self, slots: list[Slot], now: float) -> None:
        """Show what has run for a while, and bring Celery's counts up to date; from the consumer's thread."""
        counts, self._counts = self._counts, Counter()
        if counts:
            state.total_count.update(counts)
            state.all_total_count[0] += counts.total()
        for slot in slots:
            running = slot.current
            if running is not None and running.request is None and now - running.since > SHOWN_AFTER:
                self._show(slot, running)

    def _find_tracers(self) -> dict[str, tuple[Callable[..., Any], Any]]:
        """The tasks that go this way: acknowledged late, with Celery's own strategy and our own request."""
        return {
            name: (_celery.tracer_of(task), task)
            for name, task in self._consumer.app.tasks.items()
            if task.acks_late and _celery.has_own_strategy(task) and request_class(task.Request) is Request
        }

    def _open(self, claim: Claim) -> tuple[Any, Any, dict[str, Any], list[Any]] | None:
        envelope = claim.envelope
        head, body = envelope.head, envelope.body
        known = self._tracers.get(envelope.task)
        if known is None or claim.verdict is not None or claim.suspect or not self._is_quiet(envelope):
            return None
        if _MARK in head or _MARK in body or len(head) + len(body) > self._max_size:
            return None
        content, payload = _DECODE(head), _DECODE(body)
        if not _is_plain(content) or not is_ordinary(content["headers"], payload):
            return None
        return (*known, content, payload)

    def _is_quiet(self, envelope: Any) -> bool:  # noqa: ANN401 - umbel.message.Envelope
        """Whether nobody but the body has to hear of the task."""
        consumer = self._consumer
        eventer = consumer.event_dispatcher
        listening = eventer and eventer.enabled and (not eventer.groups or "task" in eventer.groups)
        return (
            self._accepts_json
            and not listening
            and not consumer.on_task_message
            and not signals.task_received.receivers
            and envelope.task_id not in state.revoked
            and self._buckets[envelope.task] is None
        )

    def _request(self, claim: Claim, head: dict[str, Any], payload: list[Any]) -> dict[str, Any]:
        """Return what Celery's request and tracer put into the task's context."""
        headers: dict[str, Any] = head["headers"]
        properties = head["properties"]
        address = properties.get("delivery_info") or {}
        if claim.redelivered:
            headers["redelivered"] = True
        args, kwargs, embedded = payload
        headers.update(embedded)
        headers.update(
            args=args,
            kwargs=kwargs,
            is_eager=False,
            hostname=self._consumer.hostname,
            properties=properties,
            reply_to=properties.get("reply_to"),
            correlation_id=properties.get("correlation_id"),
            delivery_info={
                "exchange": address.get("exchange", ""),
                "routing_key": address.get("routing_key", claim.queue),
                "priority": claim.envelope.priority,
                "redelivered": claim.redelivered,
            },
        )
        return headers

    def _run(self, slot: Slot, running: Running, tracer: Callable[..., Any], request: dict[str, Any]) -> None:
        task = running.task
        task_id, limits = request["id"], request.get("timelimit") or _NO_LIMITS
        try:
            outcome = slot.trace(
                task_id,
                soft=limits[1] or task.soft_time_limit,
                hard=limits[0] or task.time_limit,
                tracer=tracer,
                arguments=(task_id, request["args"], request["kwargs"], request),
                on_soft=running.on_soft_limit,
            )
        except BaseException as problem:  # noqa: BLE001 - nothing that a body raises may end its slot
            self._long_request(running).on_failure(outcome_of(problem))
            return
        self._counts[task.name] += 1
        value, info, runtime, _ = outcome
        if info is None:
            self._settled(slot.receipt)
            if self._channel.closed:
                self._channel.settle()  # nobody turns a closed channel any more
        else:
            self._long_request(running).on_success((1, value, runtime))

    def _long_request(self, running: Running) -> CeleryRequest:
        """Return Celery's request of what runs, so that it settles what did not succeed."""
        message = open_message(running.claim, self._channel)
        self._channel.window.append(message, running.claim.receipt)
        return self._make(message, running)

    def _show(self, slot: Slot, running: Running) -> None:
        request = self._make(open_message(running.claim, self._channel), running)
        running.request = request
        state.requests[request.id] = request
        state.active_requests.add(request)
        if slot.current is not running:
            _hide(request)  # it ended meanwhile, and may have looked before there was anything to hide

    def _make(self, message: Any, running: Running) -> Any:  # noqa: ANN401 - kombu's message, Celery's request
        kind = request_class(running.task.Request)
        request = _celery.make_request(kind, message, None, task=running.task, consumer=self._consumer)
        request.worker_pid = os.getpid()
        request.time_start = time.time() - (time.monotonic() - running.since)
        return request


def _log_received(request: dict[str, Any]) -> None:
    """Say that a task was received, as Celery's strategy does."""
    context = {
        "id": request["id"],
        "name": request["task"],
        "args": request.get("argsrepr", ""),
        "kwargs": request.get("kwargsrepr", ""),
        "eta": None,
    }
    logger.info(LOG_RECEIVED, context, extra={"data": context})


def _end(slot: Slot, running: Running) -> None:
    slot.current = None
    if running.request is not None:
        _hide(running.request)


def _hide(request: Any) -> None:  # noqa: ANN401 - Celery's request
    state.active_requests.discard(request)
    if state.requests.get(request.id) is request:
        state.requests.pop(request.id, None)


def _is_plain(content: Any) -> bool:  # noqa: ANN401 - JSON of any shape
    """Whether a head is JSON of Celery's second protocol that asks for nothing special."""
    if type(content) is not dict or content.get("content-type") != "application/json":
        return False
    headers = content.get("headers")
    if type(headers) is not dict or type(content.get("properties")) is not dict:
        return False
    if content.get("content-encoding") != "utf-8" or any(map(headers.get, _LONG_WAY_HEADERS)):
        return False
    limits = headers.get("timelimit")
    return limits is None or (type(limits) is list and len(limits) == _PAIR and all(map(_is_limit, limits)))


def _is_limit(value: object) -> bool:
    return value is None or type(value) is int or type(value) is float
