from __future__ import annotations

import pickle
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery.app.task import Context
from celery.exceptions import MaxRetriesExceededError, Reject, SoftTimeLimitExceeded, TimeLimitExceeded

from umbel.deadletters import attach, attached, failure_of, is_exhausted, mark_exhausted
from umbel.errors import MessageError, OversizeError, PermanentError, PoisonError, TemporaryError, UndecodableError
from umbel.outcomes import Reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermanentError("no"), Reason.PERMANENT),
        (TemporaryError("no"), Reason.FAILED),
        (ValueError("no"), Reason.FAILED),
        (MaxRetriesExceededError("no"), Reason.EXHAUSTED),
        (PoisonError("no"), Reason.POISON),
        (TimeLimitExceeded(3), Reason.TIME_LIMIT),
        (SoftTimeLimitExceeded(), Reason.TIME_LIMIT),
        (UndecodableError("no"), Reason.UNDECODABLE),
        (OversizeError("no"), Reason.OVERSIZE),
        (MessageError("no"), Reason.INVALID),
        (Reject(ValueError("no")), Reason.REJECTED),
    ],
)
def test_each_error_has_its_reason(error: BaseException, reason: Reason) -> None:
    assert failure_of(error).reason is reason


def test_spent_retries_are_the_reason_unless_the_error_is_permanent() -> None:
    request = Context()
    mark_exhausted(request)
    assert is_exhausted(request)
    assert failure_of(TemporaryError("no"), request=request).reason is Reason.EXHAUSTED
    assert failure_of(PermanentError("no"), request=request).reason is Reason.PERMANENT


def test_a_rejection_tells_why() -> None:
    assert failure_of(Reject(ValueError("bad row"))).error["message"] == "bad row"


def test_details_that_json_cannot_hold_are_written_out() -> None:
    details = failure_of(PermanentError("odd", thing=object(), number=3)).error["details"]
    assert details["number"] == 3
    assert details["thing"].startswith("<object object")


def test_a_long_traceback_keeps_its_end() -> None:
    text = "x" * 100_000 + "the end"
    kept = failure_of(ValueError(), traceback=text).error["traceback"]
    assert kept.endswith("the end")
    assert len(kept) < 10_000


def test_a_failure_survives_the_way_between_processes() -> None:
    info: Any = None
    try:
        raise PermanentError("stolen", card="4711")
    except PermanentError as error:
        info = ExceptionInfo()
        attach(info, failure_of(error))
    arrived = attached(pickle.loads(pickle.dumps(info)))
    assert arrived is not None
    assert (arrived.reason, arrived.error["details"]) == (Reason.PERMANENT, {"card": "4711"})


def test_an_exception_info_without_a_failure_has_none() -> None:
    try:
        raise ValueError
    except ValueError:
        assert attached(ExceptionInfo()) is None
