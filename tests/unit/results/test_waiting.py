"""Waiting asks once per look for everything, and never sleeps past its deadline."""

from __future__ import annotations

import pytest
from celery.exceptions import TimeoutError as ResultTimeoutError

from umbel.results.waiting import Pace, wait_for_any


class Looks:
    """Answers look after look from a script, and counts."""

    def __init__(self, *script):
        self.script = list(script)
        self.asked = []

    def __call__(self, waiting):
        self.asked.append(set(waiting))
        ready = self.script.pop(0) if self.script else []
        return {task_id: {"status": "SUCCESS"} for task_id in ready}


def test_each_result_is_yielded_when_it_is_ready_and_only_the_rest_is_asked_for(clock):
    looks = Looks(["b"], [], ["a", "c"])
    found = [task_id for task_id, _ in wait_for_any("abc", looks, pace=Pace(clock, timeout=None, longest=None))]

    assert found[0] == "b"
    assert sorted(found) == ["a", "b", "c"]
    assert looks.asked == [{"a", "b", "c"}, {"a", "c"}, {"a", "c"}]


def test_a_state_that_is_not_final_is_waited_on(clock):
    def look(waiting):
        return {"a": {"status": "SUCCESS" if clock.now() > began + 1 else "STARTED"}}

    began = clock.now()
    assert dict(wait_for_any(["a"], look, pace=Pace(clock, timeout=5, longest=None)))["a"]["status"] == "SUCCESS"
    assert clock.now() - began < 1.2


def test_nothing_is_looked_for_when_nothing_is_waited_for(clock):
    looks = Looks()
    assert list(wait_for_any([], looks, pace=Pace(clock, timeout=None, longest=None))) == []
    assert looks.asked == []


def test_pauses_grow_with_the_time_waited_up_to_the_longest(clock):
    pace = Pace(clock, timeout=None, longest=None)
    naps = []
    for _ in range(400):
        before = clock.now()
        pace.pause()
        naps.append(clock.now() - before)

    assert naps[0] == pytest.approx(0.001, rel=0.01)
    assert naps == sorted(naps, key=lambda nap: round(nap, 6))
    assert naps[-1] == pytest.approx(0.05, rel=0.01)


def test_a_callers_interval_bounds_the_pause(clock):
    pace = Pace(clock, timeout=None, longest=0.01)
    for _ in range(300):
        before = clock.now()
        pace.pause()
        assert clock.now() - before <= 0.0101


def test_a_timeout_is_kept_to_and_no_look_is_skipped_before_it(clock):
    began = clock.now()
    looks = Looks()
    with pytest.raises(ResultTimeoutError, match=r"timed out after 0\.2 s"):
        list(wait_for_any(["a"], looks, pace=Pace(clock, timeout=0.2, longest=None)))

    assert clock.now() - began == pytest.approx(0.2, abs=1e-3)
    assert len(looks.asked) > 10


def test_a_timeout_of_zero_looks_once(clock):
    looks = Looks(["a"])
    assert len(list(wait_for_any(["a"], looks, pace=Pace(clock, timeout=0, longest=None)))) == 1
    with pytest.raises(ResultTimeoutError):
        list(wait_for_any(["a"], Looks([]), pace=Pace(clock, timeout=0, longest=None)))


def test_the_interval_callback_runs_between_looks_and_iterations_are_bounded(clock):
    calls = []
    looks = Looks([], [], [])
    found = wait_for_any(
        ["a"],
        looks,
        pace=Pace(clock, timeout=None, longest=None),
        on_interval=lambda: calls.append(1),
        max_iterations=3,
    )

    assert list(found) == []
    assert len(looks.asked) == 3
    assert len(calls) == 2
