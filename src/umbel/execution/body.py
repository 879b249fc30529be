"""What happens around a task's body.

    run the body ─► returned ─► callbacks get their ids ─► Celery's tracer stores and publishes
         │
         └─► raised ─► Retry, Ignore, Reject: Celery's own, untouched
                   ├─► covered by the retry rule, attempts left ─► published again for later, Celery's Retry
                   └─► final ─► marked when retries are spent, errbacks get their ids ─► Celery's tracer

The wrapping is around ``task.run``, as Celery's own ``autoretry_for`` does it, and outside that one: so a
direct call ``task(...)``, eager mode and a ``__call__`` of a user's base class behave as ever. A task
called directly is not a message; its errors simply propagate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import MethodType
from typing import Any

from celery.exceptions import Ignore, Reject, TaskPredicate
from celery.exceptions import Retry as RetryRequested

from umbel import _celery
from umbel.deadletters import is_exhausted, mark_exhausted
from umbel.errors import PermanentError
from umbel.execution.continuations import identify_callbacks, identify_errbacks
from umbel.tasks import Retry

__all__ = ["wrap_body"]

_WRAPPED = "umbel_wrapped"


def wrap_body(task: Any, rule: Retry) -> None:  # noqa: ANN401 - any Celery task
    """Put Umbel's behaviour around the body of a registered task; doing it twice changes nothing."""
    if getattr(task, _WRAPPED, None) is task.run:
        return
    _let_permanent_pass(task)
    task.retry = MethodType(_marking(type(task).retry), task)
    task.run = _body(task, rule)
    setattr(task, _WRAPPED, task.run)


def _body(task: Any, rule: Retry) -> Callable[..., Any]:  # noqa: ANN401 - any Celery task
    run, requests = task.run, task.request_stack

    @wraps(run)
    def body(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the task takes and returns
        try:
            value = run(*args, **kwargs)
        except _Permanent as passed:
            error: Exception = passed.error
        except TaskPredicate:
            raise
        except Exception as raised:  # noqa: BLE001 - each is judged and raised again
            error = raised
        else:
            request = requests.top
            if request is not None and (request.callbacks or request.chain):
                identify_callbacks(request)
            return value
        raise _judged(task, rule, error)

    return body


def _judged(task: Any, rule: Retry, error: Exception) -> Exception:  # noqa: ANN401 - any Celery task
    """Return what the tracer shall see: the error itself, or Celery's request for a retry."""
    request = task.request_stack.top
    if request is None or request.called_directly:
        return error
    if rule.covers(error) and not _declined(task, error) and not is_exhausted(request):
        if not rule.exhausted(request.retries):
            return _retried(task, request, rule.delay(request.retries), error)
        mark_exhausted(request)
    identify_errbacks(request)
    return error


def _declined(task: Any, error: Exception) -> bool:  # noqa: ANN401 - any Celery task
    """Whoever says ``dont_autoretry_for`` does not want this error retried by a default rule either."""
    return isinstance(error, tuple(getattr(task, "dont_autoretry_for", ())))


def _retried(task: Any, request: Any, delay: float, error: Exception) -> Exception:  # noqa: ANN401 - Celery's
    """Publish the same task again for later, as ``Task.retry`` does, but by our own count of attempts.

    When that fails the message itself goes back, so that nothing is lost with it.
    """
    again = task.signature_from_request(request, countdown=delay, retries=request.retries + 1)
    if not request.is_eager:
        try:
            again.apply_async()
        except Exception as problem:  # noqa: BLE001 - whatever the broker raises
            rejection: Exception = Reject(problem, requeue=True)
            rejection.__cause__ = problem
            return rejection
    retry: Exception = RetryRequested(exc=error, when=delay, is_eager=request.is_eager, sig=again)
    retry.__cause__ = error
    return retry


def _marking(retry: Callable[..., Any]) -> Callable[..., Any]:
    """``Task.retry`` that notes when it gives up: what it raises then is not to be retried by a rule."""

    @wraps(retry)
    def marking(task: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as Task.retry
        try:
            return retry(task, *args, **kwargs)
        except TaskPredicate:
            raise
        except Exception:
            mark_exhausted(task.request_stack.top)
            raise

    return marking


class _Permanent(Ignore):
    """Carries a permanent error through ``autoretry_for=(Exception,)``, which lets ``Ignore`` pass."""

    def __init__(self, error: PermanentError) -> None:
        super().__init__(error)
        self.error = error


def _let_permanent_pass(task: Any) -> None:  # noqa: ANN401 - any Celery task
    inner = _celery.autoretried_body(task)
    if inner is None:
        return

    @wraps(inner)
    def body(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the task takes and returns
        try:
            return inner(*args, **kwargs)
        except PermanentError as error:
            raise _Permanent(error) from error

    _celery.replace_autoretried_body(task, body)
