"""A run is judged right only when every row, every letter and every recovered task is accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from umbel.clock import Timestamp
from umbel.demo.chaos import Kill
from umbel.demo.ledger import Counts
from umbel.demo.reference import Reference
from umbel.demo.report import document
from umbel.demo.verdict import Evidence, judge
from umbel.message import Envelope
from umbel.outcomes import Reason
from umbel.transports.base import DeadLetter

TOTALS = [("JFK", 1, 2, 30, 0, 0), ("MIA", 1, 0, 0, 2, 40)]
REFERENCE = Reference(flights=3, counted=2, rejected={"FLIGHT_CANCELLED": 1}, totals=TOTALS)


def letter(task_id="row-2", code="FLIGHT_CANCELLED"):
    envelope = Envelope(task_id, "umbel.demo.tasks.examine", b"{}", b"")
    return DeadLetter(task_id, "bulk", envelope, Reason.PERMANENT, {"error_code": code}, Timestamp(1.0), 1, 0)


RIGHT = Evidence(
    counts=Counts(executions=5, tasks=Counter(measure=1), recovered={"x"}, processes={1, 2}),
    kill=Kill("shard", 1, 10.0, ("x",), ("x",)),
    chaos=True,
    seconds=2.0,
    asked={"a": 1.0, "b": 2.0},
    answered={"a": 1.25},
    backlog=7,
    recovered_after=0.1,
    unfinished=[],
    letters=[letter()],
    pieces=1,
    totals=TOTALS,
    measured=TOTALS,
    register_answered=1,
    register_refused=1,
    exit_code=0,
)

WRONG = {
    "one minute more": {"totals": [("JFK", 1, 2, 31, 0, 0), TOTALS[1]]},
    "a month twice": {"totals": [TOTALS[0], *TOTALS]},
    "a month missing": {"totals": TOTALS[:1]},
    "pieces and chords differ": {"measured": TOTALS[:1]},
    "a dirty row without a letter": {"letters": []},
    "one letter too many": {"letters": [letter(), letter("row-3")]},
    "the same letter twice": {"letters": [letter(), letter()]},
    "another reason": {"letters": [letter(code="FLIGHT_DIVERTED")]},
    "the worker crashed": {"exit_code": 1},
    "one task of the dead shard did not run again": {"kill": Kill("shard", 1, 10.0, ("x", "y"), ("x",))},
    "nothing recovered": {"counts": Counts(executions=5, tasks=Counter(measure=1))},
    "no shard died": {"kill": None},
    "a task of the dead shard never ended": {"unfinished": ["x"]},
}


def test_a_right_run_is_right(tmp_path):
    report = judge(RIGHT, REFERENCE, folder=tmp_path, plot=tmp_path / "delays.svg")
    assert report.ok
    assert (tmp_path / "delays.svg").stat().st_size > 10_000
    assert document(report)["critical"] == {"asked": 1, "median_seconds": 0.25, "worst_seconds": 0.25, "backlog": 7}


@pytest.mark.parametrize("difference", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_run_is_wrong(tmp_path, difference):
    assert not judge(replace(RIGHT, **difference), REFERENCE, folder=tmp_path, plot=tmp_path / "delays.png").ok


def test_without_chaos_nothing_has_to_be_recovered(tmp_path):
    quiet = replace(RIGHT, chaos=False, kill=None, recovered_after=None, counts=Counts(tasks=Counter(measure=1)))
    assert judge(quiet, REFERENCE, folder=tmp_path, plot=tmp_path / "delays.png").ok
