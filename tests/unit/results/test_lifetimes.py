from __future__ import annotations

from datetime import timedelta

import pytest

from umbel.results.lifetimes import Lifetimes
from umbel.results.records import ChordState

HOUR, DAY = 3600.0, 86_400.0


def test_results_live_as_long_as_the_setting_says_and_unfinished_ones_a_week_at_least():
    lifetimes = Lifetimes.of({}, HOUR)

    assert lifetimes.result_expires_at("SUCCESS", 100.0) == 100.0 + HOUR
    assert lifetimes.result_expires_at("FAILURE", 100.0) == 100.0 + HOUR
    assert lifetimes.result_expires_at("RETRY", 100.0) == 100.0 + 7 * DAY


def test_failures_may_live_longer():
    lifetimes = Lifetimes.of({"result_failure_expires": 2 * DAY}, HOUR)

    assert lifetimes.result_expires_at("FAILURE", 0.0) == 2 * DAY
    assert lifetimes.result_expires_at("SUCCESS", 0.0) == HOUR


@pytest.mark.parametrize("never", [None, 0])
def test_nothing_expires_when_results_are_kept_for_ever(never):
    lifetimes = Lifetimes.of({}, never)

    assert {lifetimes.result_expires_at(state, 1.0) for state in ("SUCCESS", "FAILURE", "STARTED")} == {None}
    assert {lifetimes.chord_expires_at(state, 1.0) for state in ChordState} == {None}


def test_an_unsettled_chord_outlives_its_dead_letters_unless_its_setting_says_otherwise():
    assert Lifetimes.of({}, HOUR).chord_expires_at(ChordState.OPEN, 0.0) == 30 * DAY
    assert Lifetimes.of({}, HOUR).chord_expires_at(ChordState.FAILED, 0.0) == 30 * DAY
    assert Lifetimes.of({}, HOUR).chord_expires_at(ChordState.DONE, 0.0) == DAY
    assert Lifetimes.of({"result_chord_expires": timedelta(hours=2)}, HOUR).chord_expires_at(
        ChordState.OPEN, 0.0
    ) == pytest.approx(2 * HOUR)
