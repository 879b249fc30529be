from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from umbel.clock import Timestamp
from umbel.outcomes import Completed, Discarded, Lost, Outcome, Reason, Retried, Verdict


def test_every_verdict_is_a_reason_so_that_it_can_be_the_dead_letters_reason() -> None:
    assert {str(verdict) for verdict in Verdict} <= {str(reason) for reason in Reason}


def test_reasons_and_verdicts_are_stored_as_their_plain_text() -> None:
    assert json.dumps([Reason.TIME_LIMIT, Verdict.POISON]) == '["time_limit", "poison"]'
    assert Reason("exhausted") is Reason.EXHAUSTED


@pytest.mark.parametrize("kind", get_args(Outcome), ids=lambda kind: kind.__name__)
def test_every_outcome_is_documented(kind: type) -> None:
    assert kind.__doc__


def test_outcomes_are_values() -> None:
    assert Lost() == Lost()
    assert Completed(3) != Completed(4)
    outcome = Retried(at=Timestamp(5.0), error={})
    with pytest.raises(FrozenInstanceError):
        outcome.at = Timestamp(6.0)  # type: ignore[misc]


def test_match_takes_an_outcome_apart() -> None:
    outcome: Outcome = Discarded(reason=Reason.FAILED, error={"error_code": "X"})
    match outcome:
        case Discarded(reason=reason, error={"error_code": code}):
            assert (reason, code) == (Reason.FAILED, "X")
        case _:
            pytest.fail("not matched")
