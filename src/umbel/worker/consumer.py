"""Celery's consumer, which on Umbel's channels never loses a message and never falls over one.

    message ─► admitted? ── no ──► dead letter: undecodable, invalid or oversize
                 │ yes
                 ├─► task unknown ──► parked until a worker knows it
                 ├─► has a verdict ─► its failure is recorded, its body does not run
                 └─► Celery's strategy

On any other channel Celery's own consumer works unchanged. What cannot be settled for the moment,
because the result backend fails, is held for a second and given back; what keeps failing for another
reason (an errback that cannot be published) becomes a dead letter after some deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from billiard.einfo import ExceptionInfo
from celery import signals, states
from celery.app.task import Context
from celery.exceptions import InvalidTaskError
from celery.utils.log import get_logger
from celery.worker import state
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.exceptions import ContentDisallowed, DecodeError, OperationalError

from umbel import _celery, events
from umbel.deadletters import failure_of
from umbel.errors import MessageError, StorageError, UndecodableError
from umbel.transports.channel import Channel
from umbel.worker.admission import admit
from umbel.worker.request import bury_delivery, request_class
from umbel.worker.unenforced import unenforced_limits
from umbel.worker.verdicts import record_verdict

__all__ = ["Consumer"]

logger = get_logger(__name__)

_HOLD = 1.0
"""Seconds that a message waits which could not be settled."""
_PATIENCE = 10
"""Deliveries after which a message is buried although its failure cannot be recorded."""
_TRANSIENT = (StorageError, OperationalError, OSError)
"""Failures of a backend or broker that end by themselves."""
_UNPARK_EVERY = 5.0
"""Seconds between two looks for parked messages whose task is known here."""
_NAMED = 5
"""Limits that one warning names."""
_LARGEST = 16 * 1024 * 1024
"""Bytes; the default of ``broker.max_message_size``."""


class Consumer(CeleryConsumer):
    """Set by ``worker_consumer``; works in Celery's own worker too."""

    _unparking: Any = None

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - Celery's
        """Return what is called with every message."""
        if not self._is_ours():
            handler: Callable[[Any], Any] = super().create_task_handler(*args, **kwargs)
            return handler
        strategies, callbacks = self.strategies, self.on_task_message
        max_size = self.largest_message

        def on_task_received(message: Any) -> None:  # noqa: ANN401 - kombu's message
            try:
                name, payload = admit(message, max_size=max_size)
            except MessageError as problem:
                self._refuse(message, problem)
                return
            strategy = strategies.get(name)
            if strategy is None:
                self._park(message, name)
                return
            if message.claim.verdict is not None:
                self._record(message, name, payload)
                return
            try:
                strategy(message, payload, message.ack_log_error, message.reject_log_error, callbacks)
            except (InvalidTaskError, ContentDisallowed, DecodeError) as problem:
                self._refuse(message, MessageError(f"{name}: {problem}", task=name))
            except Exception as problem:  # noqa: BLE001 - no message may end the worker
                self._recover(message, name, problem)

        return on_task_received

    @property
    def largest_message(self) -> int:
        """Bytes, of head and body together: what is larger is not run."""
        return int((self.app.conf.broker_transport_options or {}).get("max_message_size") or _LARGEST)

    def on_decode_error(self, message: Any, exc: BaseException) -> None:  # noqa: ANN401 - kombu's message
        """Keep what kombu itself cannot decode."""
        if isinstance(message.channel, Channel):
            self._refuse(message, UndecodableError(f"the message cannot be decoded: {exc}"))
        else:
            super().on_decode_error(message, exc)

    def update_strategies(self) -> None:
        """Let tasks of any base class use a request class with dead letters."""
        for task in self.app.tasks.values():
            task.Request = request_class(task.Request)
        super().update_strategies()

    def on_ready(self) -> None:
        """Look for parked messages now and every few seconds."""
        super().on_ready()
        if not self._is_ours():
            return
        if self._unparking is None:
            self._warn_of_limits()
        else:
            self._unparking.cancel()
        self.unpark()
        self._unparking = self.timer.call_repeatedly(_UNPARK_EVERY, self.unpark)

    def on_connection_error_after_connected(self, exc: BaseException) -> None:
        """Keep the prefetch count: Celery lowers it here, and its acks raise it again one by one, which
        ours do not.
        """
        ours = self._is_ours()
        super().on_connection_error_after_connected(exc)
        if ours:
            self.initial_prefetch_count = self.max_prefetch_count

    def unpark(self) -> None:
        """Make the parked messages ready whose task is registered here."""
        consumer = self.task_consumer
        if consumer is None:
            return
        names = tuple(self.app.tasks)
        try:
            for queue in consumer.queues:
                consumer.channel.store.unpark(queue.name, names)
        except StorageError as problem:
            logger.warning("Parked messages could not be looked for, and will be again: %s", problem)

    def _warn_of_limits(self) -> None:
        limits = unenforced_limits(self.pool, self.app)
        if limits:
            more = f" and {len(limits) - _NAMED} more" if len(limits) > _NAMED else ""
            logger.warning(
                "This pool cannot enforce time limits: %s%s will be ignored. Run umbel worker, or the prefork pool",
                ", ".join(limits[:_NAMED]),
                more,
            )

    def _is_ours(self) -> bool:
        return self.task_consumer is not None and isinstance(self.task_consumer.channel, Channel)

    def _refuse(self, message: Any, problem: MessageError) -> None:  # noqa: ANN401 - kombu's message
        """Move a message that can never run to the dead letters, and say so to who waits for its result."""
        claim = message.claim
        logger.error("A message of queue %r is malformed and goes to the dead letters: %s", claim.queue, problem)
        events.emit(
            events.MessageUndecodable(queue=claim.queue, task_id=claim.envelope.task_id, problem=problem.message)
        )
        try:
            self._fail_result(message, problem)
        except Exception as trouble:  # noqa: BLE001 - no message may end the worker
            self._hold_or_bury(message, trouble, problem)
            return
        bury_delivery(message, failure_of(problem))
        signals.task_rejected.send(sender=self, message=message, exc=problem)

    def _fail_result(self, message: Any, problem: MessageError) -> None:  # noqa: ANN401 - kombu's message
        headers = message.headers if isinstance(message.headers, Mapping) else {}
        task_id = headers.get("id")
        if not isinstance(task_id, str) or not task_id or headers.get("ignore_result"):
            return
        if isinstance(problem, UndecodableError) or not _celery.was_decoded(message):
            self.app.backend.store_result(task_id, problem, states.FAILURE)
            return
        self.app.backend.mark_as_failure(task_id, problem, request=_bare_request(message))

    def _park(self, message: Any, name: str) -> None:  # noqa: ANN401 - kombu's message
        queue, task_id = message.claim.queue, message.claim.envelope.task_id
        message.channel.basic_park(message.delivery_tag)
        _celery.mark_acknowledged(message)
        logger.warning("Task %r is not registered here: its message %s is parked", name, task_id)
        events.emit(events.MessageParked(queue=queue, task=name, task_id=task_id))
        signals.task_unknown.send(sender=self, message=message, exc=KeyError(name), name=name, id=task_id)

    def _record(self, message: Any, name: str, payload: Any) -> None:  # noqa: ANN401 - kombu's message
        task = self.app.tasks[name]
        try:
            request = _celery.make_request(request_class(task.Request), message, payload, task=task, consumer=self)
        except InvalidTaskError as problem:
            self._refuse(message, MessageError(f"{name}: {problem}", task=name))
            return
        try:
            record_verdict(request)
        except Exception as trouble:  # noqa: BLE001 - the backend, the broker, or a broken canvas
            self._hold_or_bury(message, trouble, trouble)

    def _recover(self, message: Any, name: str, problem: Exception) -> None:  # noqa: ANN401 - kombu's message
        """Settle what failed outside Celery's tracer: before the body, it is the message's fault."""
        request = state.requests.get(message.headers.get("id"))
        if request is not None and request.message is message:
            request.on_failure(ExceptionInfo())
        elif not message.acknowledged:
            self._refuse(message, MessageError(f"{name}: {type(problem).__name__}: {problem}", task=name))

    def _hold_or_bury(self, message: Any, trouble: Exception, problem: Exception) -> None:  # noqa: ANN401 - kombu's message
        claim = message.claim
        logger.error("Message %s cannot be settled now: %r", claim.envelope.task_id, trouble, exc_info=trouble)
        if message.acknowledged:
            return
        if isinstance(trouble, _TRANSIENT) or claim.deliveries < _PATIENCE:
            self.timer.call_after(_HOLD, message.requeue)
        else:
            bury_delivery(message, failure_of(problem))


def _bare_request(message: Any) -> Context:  # noqa: ANN401 - kombu's message
    """As much of a request as a malformed message has: enough for its chord and its chain to end."""
    chord = None
    with suppress(TypeError, ValueError, KeyError, AttributeError):
        _, _, embedded = message.payload
        chord = embedded["chord"]
    parts = {"chord": chord} if isinstance(chord, Mapping) else {}
    return Context({**message.headers, **parts, "delivery_info": message.delivery_info})
