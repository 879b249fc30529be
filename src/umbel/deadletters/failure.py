"""Why a task will not run again, decided where it failed and carried to where its message is settled.

In a prefork pool the body fails in a child and the message is settled by its parent, so the finding
travels with the :class:`billiard.einfo.ExceptionInfo` that the child sends back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billiard.einfo import ExceptionInfo
from celery.exceptions import MaxRetriesExceededError, Reject, SoftTimeLimitExceeded, TimeLimitExceeded
from kombu.utils import json as kombu_json

from umbel.errors import MessageError, OversizeError, PermanentError, PoisonError, UndecodableError, describe
from umbel.outcomes import Reason

__all__ = ["Failure", "attach", "attached", "failure_of", "is_exhausted", "mark_exhausted"]

_EXHAUSTED = "umbel_exhausted"
_FAILURE = "umbel_failure"
_LONGEST_TRACEBACK = 8_000
_REASONS: tuple[tuple[type[BaseException], Reason], ...] = (
    (PermanentError, Reason.PERMANENT),
    (MaxRetriesExceededError, Reason.EXHAUSTED),
    (PoisonError, Reason.POISON),
    (TimeLimitExceeded, Reason.TIME_LIMIT),
    (SoftTimeLimitExceeded, Reason.TIME_LIMIT),
    (OversizeError, Reason.OVERSIZE),
    (UndecodableError, Reason.UNDECODABLE),
    (MessageError, Reason.INVALID),
    (Reject, Reason.REJECTED),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason for the dead letters, and the error in the contract's form, JSON-ready."""

    reason: Reason
    error: Mapping[str, Any]


def failure_of(error: BaseException, *, request: Any = None, traceback: str | None = None) -> Failure:  # noqa: ANN401 - Celery's Context
    """Judge a final failure. ``request`` is the task's request, where a spent retry rule left its mark."""
    contract = describe(_cause(error))
    contract["details"] = _json_ready(contract["details"])
    if traceback:
        contract["traceback"] = traceback[-_LONGEST_TRACEBACK:]
    return Failure(_reason(error, request), contract)


def mark_exhausted(request: Any) -> None:  # noqa: ANN401 - Celery's Context
    """Note in the task's request that its retries are spent, so that its failure says so."""
    if request is not None:
        setattr(request, _EXHAUSTED, True)


def is_exhausted(request: Any) -> bool:  # noqa: ANN401 - Celery's Context
    """Return whether the request carries that note."""
    return bool(getattr(request, _EXHAUSTED, False))


def attach(info: ExceptionInfo, failure: Failure) -> None:
    """Let the failure travel with Celery's exception info, also between processes."""
    setattr(info, _FAILURE, failure)


def attached(info: ExceptionInfo) -> Failure | None:
    """Return the failure that travelled with this exception info."""
    failure = getattr(info, _FAILURE, None)
    return failure if isinstance(failure, Failure) else None


def _reason(error: BaseException, request: Any) -> Reason:  # noqa: ANN401 - Celery's Context
    if isinstance(error, PermanentError):
        return Reason.PERMANENT
    if is_exhausted(request):
        return Reason.EXHAUSTED
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.FAILED)


def _cause(error: BaseException) -> BaseException:
    """``Reject(reason)`` is only the wrapping of why."""
    if isinstance(error, Reject) and isinstance(error.reason, BaseException):
        return error.reason
    return error


def _json_ready(details: dict[str, Any]) -> dict[str, Any]:
    """Errors are raised with any values in them; what JSON cannot hold is written as its ``repr``."""
    try:
        kombu_json.dumps(details)
    except (TypeError, ValueError):
        return {str(key): value if _is_plain(value) else repr(value) for key, value in details.items()}
    return details


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))
