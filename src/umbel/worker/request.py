"""One delivery of a task in a worker, on every pool: how it ends.

    success, Ignore, Retry ───────────────► ack
    failed for good ──────────────────────► dead letter in place of the ack, atomic with it
      … and acknowledged early ───────────► dead letter by itself
      … and the task says dead_letter=False ► ack
    Reject(requeue=False) ────────────────► dead letter
    Reject(requeue=True) ─────────────────► released
    the pool's process died ──────────────► a crash is counted; at the limit the message gets a verdict

On a channel that is not Umbel's, Celery's own behaviour holds unchanged.
"""

from __future__ import annotations

from typing import Any

from billiard.einfo import ExceptionInfo, ExceptionWithTraceback
from celery.exceptions import (
    Ignore,
    InvalidTaskError,
    Reject,
    TaskPredicate,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)
from celery.exceptions import Retry as RetryRequested
from celery.utils.log import get_logger
from celery.worker import state
from celery.worker.request import Request as CeleryRequest

from umbel import _celery, events
from umbel.deadletters import Failure, attached, failure_of
from umbel.errors import TaskError
from umbel.execution.continuations import identify_errbacks
from umbel.execution.failures import record_failure, tell_of_failure
from umbel.outcomes import Reason
from umbel.tasks import declared_of
from umbel.transports.channel import Channel

__all__ = ["Request", "bury_delivery", "request_class", "wants_dead_letter"]

logger = get_logger(__name__)

_SETTLED_OTHERWISE = (TaskPredicate, Terminated, TimeLimitExceeded, WorkerLostError)
"""Errors that are no plain failure of the body; Celery knows what each one asks."""


class Request(CeleryRequest):
    """Celery's request, with dead letters."""

    acknowledged: bool
    _failure: Failure | None = None
    _crashed = False

    def __init__(self, message: Any, **options: Any) -> None:  # noqa: ANN401 - kombu's message, Celery's options
        try:
            super().__init__(message, **options)
            _check_time_limits(self.time_limits)
            if isinstance(message.channel, Channel) and message.channel.intake is not None:
                _celery.decode_once(self)
        except (InvalidTaskError, MemoryError):
            raise
        except (AttributeError, KeyError, LookupError, OverflowError, TypeError, ValueError) as problem:
            raise InvalidTaskError(f"{type(problem).__name__}: {problem}") from problem

    @property
    def eta(self) -> Any:  # noqa: ANN401 - a datetime, or None
        """None on our channels: a message is claimed when it is due, so Celery need not hold it back.

        The body still finds it in ``self.request.eta``.
        """
        return None if self._is_ours() else super().eta

    def acknowledge(self) -> None:
        """Ack; or, once the task has failed for good, move its message to the dead letters instead."""
        failure = self._failure
        if failure is None or self.acknowledged:
            super().acknowledge()
            return
        self.acknowledged = True
        self._failure = None
        bury_delivery(self.message, failure)

    def reject(self, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's signature
        """Release the message, or move it to the dead letters."""
        channel = self.message.channel
        if self.acknowledged or not isinstance(channel, Channel):
            super().reject(requeue=requeue)
        elif requeue and self._crashed:
            self._settled(requeue=True)
            channel.basic_crash(self.message.delivery_tag)
            _celery.mark_requeued(self.message)
        elif requeue:
            self._failure = None
            super().reject(requeue=True)
        else:
            self._discard()

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """Note that the body starts. An early ack is settled before it does, or a crash would repeat the task."""
        super().on_accepted(pid, time_accepted)
        if self._is_ours() and not self.task.acks_late:
            self.message.channel.settle()

    def on_failure(self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's signature
        """Settle a task that has failed, as its kind of failure asks."""
        error = unwrapped(exc_info)
        if isinstance(error, TimeLimitExceeded) and not return_ok:
            return  # the pool calls on_timeout next, which records it once and whole
        if not self._is_ours():
            super().on_failure(exc_info, send_failed_event, return_ok)
            return
        if isinstance(error, MemoryError):
            exc_info = self._record_memory_error(error)
            error, return_ok = unwrapped(exc_info), True
        elif not return_ok and isinstance(error, Exception) and not isinstance(error, _SETTLED_OTHERWISE):
            # Celery would acknowledge first and store the failure after it; a crash between loses the result.
            logger.error("Task %s[%s] failed outside Celery's tracer: %r", self.name, self.id, error, exc_info=error)
            exc_info, return_ok = self.fail(error), True
        self._judge(exc_info, error)
        early = self.acknowledged
        try:
            raise error  # noqa: TRY301 - to have it current, not to handle it
        except BaseException:  # noqa: BLE001 - raised here because Celery's chords look at the current exception
            super().on_failure(exc_info, send_failed_event, return_ok)
        self._bury_early(early)

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001 - Celery's signature
        """Record that a time limit has passed; a hard one is a failure for good."""
        if soft or not self._is_ours() or state.should_terminate:
            super().on_timeout(soft, timeout)
            return
        error = TimeLimitExceeded(timeout)
        self._condemn(failure_of(error))
        identify_errbacks(self.context)
        early = self.acknowledged
        try:
            raise error
        except TimeLimitExceeded:  # raised here because Celery's chords look at the current exception
            super().on_timeout(soft, timeout)
        self._bury_early(early)

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002, ANN401 - Celery's names
        """Send an event about this task, when somebody asked for task events."""
        eventer = self.eventer
        if eventer and eventer.enabled and (not eventer.groups or "task" in eventer.groups):
            super().send_event(type, **fields)

    @property
    def context(self) -> Any:  # noqa: ANN401 - Celery's Context
        """The task's :class:`celery.app.task.Context`, with its errbacks and its chord."""
        return _celery.context_of(self)

    def _success_was_stored(self) -> Any:  # noqa: ANN401 - Celery's result metadata, or False
        stored = _celery.success_was_stored(self)
        if stored:
            self._failure = None
        return stored

    def _retry_worker_lost(self, exc: BaseException, exc_info: ExceptionInfo) -> bool:
        failure, self._failure = self._failure, None
        retried: bool = _celery.retry_worker_lost(self, exc, exc_info)
        if not retried:
            self._failure = failure
        return retried

    def _record_memory_error(self, error: MemoryError) -> ExceptionInfo:
        """A body that asked for too much memory has failed; Celery would end the worker, and the next one."""
        problem = TaskError(f"the body ran out of memory: {error}", error_code="TASK_OUT_OF_MEMORY")
        return self.fail(problem)

    def fail(self, error: Exception) -> ExceptionInfo:
        """Record a failure that Celery's tracer has not seen. A hook that raises is logged.

        Raises:
            Exception: the result backend or the broker failed; nothing may be acknowledged then.
        """
        info = record_failure(self.task, self.context, error, store_result=self.store_errors)
        try:
            tell_of_failure(self.task, self.context, error, info)
        except Exception:
            logger.exception("A hook of task %s[%s] raised", self.name, self.id)
        return info

    def _is_ours(self) -> bool:
        return isinstance(self.message.channel, Channel)

    def _judge(self, info: ExceptionInfo, error: BaseException) -> None:
        if isinstance(error, (Ignore, RetryRequested, Terminated)):
            return
        if isinstance(error, Reject):
            self._condemn(None if error.requeue else failure_of(error))
            return
        lost = isinstance(error, (WorkerLostError, SystemExit, KeyboardInterrupt))
        self._crashed = lost and not state.should_terminate
        self._condemn(attached(info) or failure_of(error, request=self.context, traceback=info.traceback))
        if lost:
            identify_errbacks(self.context)

    def _condemn(self, failure: Failure | None) -> None:
        """Let the next ack be a dead letter, unless the task wants none."""
        self._failure = failure if wants_dead_letter(self.task) else None

    def _discard(self) -> None:
        failure = self._failure
        self._failure = None
        self._settled(requeue=False)
        if failure is not None:
            bury_delivery(self.message, failure)
        elif wants_dead_letter(self.task):
            bury_delivery(self.message, Failure(Reason.REJECTED, failure_of(Reject(requeue=False)).error))
        else:
            self.message.ack()

    def _settled(self, *, requeue: bool) -> None:
        self.acknowledged = True
        self.send_event("task-rejected", requeue=requeue)

    def _bury_early(self, early: bool) -> None:  # noqa: FBT001 - what was true before, not a mode
        failure, self._failure = self._failure, None
        if early and failure is not None:
            bury_settled(self.message, failure)


def wants_dead_letter(task: Any) -> bool:  # noqa: ANN401 - any Celery task
    """Return whether the task's final failures are kept, by its own word or by the settings."""
    declared = declared_of(task).dead_letter
    if declared is not None:
        return declared
    settings = getattr(task.app, "settings", None)
    return True if settings is None else bool(settings.tasks.dead_letter)


def bury_delivery(message: Any, failure: Failure) -> None:  # noqa: ANN401 - kombu's message
    """Move a message that is not settled yet to the dead letters, in place of its ack."""
    message.channel.basic_dead_letter(message.delivery_tag, failure.reason, failure.error)
    _celery.mark_acknowledged(message)


def bury_settled(message: Any, failure: Failure) -> None:  # noqa: ANN401 - kombu's message
    """Add a dead letter for a message that was acknowledged before its task failed."""
    claim = message.claim
    message.channel.store.bury(claim.queue, claim.envelope, failure.reason, failure.error)
    events.emit(
        events.DeadLettered(
            queue=claim.queue,
            task=claim.envelope.task,
            task_id=claim.envelope.task_id,
            reason=str(failure.reason),
            error_code=str(failure.error.get("error_code", "")),
        )
    )


def request_class(own: Any) -> type[CeleryRequest]:  # noqa: ANN401 - a class, or its dotted name
    """Return a request class with Umbel's behaviour below a user's own."""
    found: type[CeleryRequest] = _celery.resolve(own)
    if issubclass(found, Request):
        return found
    if found is CeleryRequest:
        return Request
    return type(found.__name__, (found, Request), {"__module__": found.__module__, "__doc__": found.__doc__})


def unwrapped(info: ExceptionInfo) -> BaseException:
    """Return the error itself, which travels between processes with its traceback around it."""
    error = info.exception
    found: BaseException = error.exc if isinstance(error, ExceptionWithTraceback) else error
    return found


def _check_time_limits(limits: Any) -> None:  # noqa: ANN401 - whatever the message says
    hard, soft = limits
    for limit in (hard, soft):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, float))):
            raise InvalidTaskError(f"timelimit: expected seconds, found {limit!r}")
