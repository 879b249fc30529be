"""Messages that came back with a verdict: their failure is recorded, their body does not run.

The result, the chord, the errbacks and the hooks come first, the dead letter after them; when the first
part fails the message is not settled, and the next delivery tries again. Should the task have stored
its success before its process died, that success stands and the message is acknowledged.
"""

from __future__ import annotations

from typing import Any

from celery.exceptions import TimeLimitExceeded
from kombu.utils.encoding import safe_repr

from umbel import _celery, events
from umbel.deadletters import Failure, failure_of
from umbel.errors import PoisonError, TaskError
from umbel.outcomes import Reason, Verdict
from umbel.transports.base import Claim
from umbel.worker.request import Request, bury_delivery, wants_dead_letter

__all__ = ["record_verdict"]


def record_verdict(request: Request) -> None:
    """Record the failure that the message's verdict stands for, and settle the message.

    Raises:
        Exception: the result backend or the broker failed; the message is not settled.
    """
    message = request.message
    claim: Claim = message.claim
    if claim.verdict is None:
        raise ValueError(f"task {request.id}: expected a claim with a verdict, found one without")
    if _celery.success_was_stored(request):
        request.acknowledge()
        return
    error = _error(request, claim, claim.verdict)
    info = request.fail(error)
    request.send_event("task-failed", exception=safe_repr(error), traceback=info.traceback)
    if wants_dead_letter(request.task):
        bury_delivery(message, Failure(Reason(claim.verdict), failure_of(error).error))
    else:
        message.ack()
    events.emit(events.VerdictRecorded(task=request.name, task_id=request.id, verdict=str(claim.verdict)))


def _error(request: Any, claim: Claim, verdict: Verdict) -> Exception:  # noqa: ANN401 - Celery's request
    if verdict is Verdict.TIME_LIMIT:
        error: Exception = TimeLimitExceeded(request.time_limits[0] or request.task.time_limit)
        return error
    if verdict is Verdict.MEMORY_LIMIT:
        return TaskError(
            f"{request.name}: its process passed the memory limit while the task ran",
            error_code="TASK_MEMORY_LIMIT",
            hint="let the task use less memory, or raise worker.max_memory_per_shard",
        )
    return PoisonError(
        f"{request.name}: its process died {claim.crashes} times while the task ran alone", crashes=claim.crashes
    )
