"""What a final failure leaves behind: a finding for the dead letters, and Celery's whole bookkeeping.

Celery's tracer does the bookkeeping for a body that raised; here stands what it cannot do: the finding
(:func:`observe_failures`), and the same bookkeeping for a task whose body must not run again
(:func:`record_failure`, :func:`tell_of_failure`).
"""

from __future__ import annotations

from typing import Any

from billiard.einfo import ExceptionInfo
from celery import signals, states

from umbel import _celery
from umbel.deadletters import attach, failure_of
from umbel.execution.continuations import identify_errbacks

__all__ = ["observe_failures", "record_failure", "tell_of_failure"]


def observe_failures() -> None:
    """Attach a finding to every failure that Celery's tracer reports from now on, in this process and
    in children forked from it. Doing it twice changes nothing.
    """
    signals.task_failure.connect(_observe, weak=False, dispatch_uid="umbel.execution.failures")


def record_failure(task: Any, request: Any, error: BaseException, *, store_result: bool) -> ExceptionInfo:  # noqa: ANN401 - Celery's
    """Store that a task has failed for good, with all that hangs on it: its chord, its chain, its errbacks.

    ``request`` is the task's :class:`celery.app.task.Context`. The hooks follow in :func:`tell_of_failure`.

    Raises:
        Exception: the result backend or the broker failed; nothing may be acknowledged then.
    """
    identify_errbacks(request)
    try:
        raise error  # noqa: TRY301 - to have it current, not to handle it
    except BaseException:  # noqa: BLE001 - raised here because Celery's chords look at the current exception
        info = ExceptionInfo()
        task.backend.mark_as_failure(request.id, error, info.traceback, request=request, store_result=store_result)
    return info


def tell_of_failure(task: Any, request: Any, error: BaseException, info: ExceptionInfo) -> None:  # noqa: ANN401 - Celery's
    """Call the task's hooks and send Celery's signal.

    Raises:
        Exception: a hook of the task raised; the failure is recorded all the same.
    """
    args, kwargs = request.args, request.kwargs
    task.request_stack.push(request)
    try:
        signals.task_failure.send(
            sender=task,
            task_id=request.id,
            exception=error,
            args=args,
            kwargs=kwargs,
            traceback=error.__traceback__,
            einfo=info,
        )
        task.on_failure(error, request.id, args, kwargs, info)
        if _celery.overrides(task, "after_return"):
            task.after_return(states.FAILURE, error, request.id, args, kwargs, None)
    finally:
        task.request_stack.pop()


def _observe(sender: Any = None, exception: BaseException | None = None, einfo: Any = None, **_: Any) -> None:  # noqa: ANN401 - a signal's
    if exception is None or not isinstance(einfo, ExceptionInfo):
        return
    request = sender.request_stack.top if sender is not None and sender.request_stack is not None else None
    attach(einfo, failure_of(exception, request=request, traceback=einfo.traceback))
