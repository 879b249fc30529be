"""Who is to blame when a process dies."""

from __future__ import annotations

import pytest

from umbel.outcomes import Verdict
from umbel.transports.blame import Held, judge, report


def held(receipt, **fields):
    defaults = {"task_id": f"task-{receipt}", "crashes": 0, "suspect": False, "alone": False, "verdict": None}
    return Held(receipt, **(defaults | fields))


def outcome(claim, started, verdicts=None, limit=3):
    return report(judge([claim], started=started, verdicts=verdicts, crash_limit=limit))


@pytest.mark.parametrize(
    ("claim", "started", "kind"),
    [
        (held("r"), [], "released"),
        (held("r"), ["other"], "released"),
        (held("r", alone=True), [], "released"),
        (held("r"), ["r"], "crashed"),
        (held("r"), ["r", "s"], "suspects"),
        (held("r", suspect=True), ["r", "s"], "released"),
        (held("r", alone=True), ["r", "s"], "crashed"),
        (held("r"), None, "suspects"),
        (held("r", alone=True), None, "crashed"),
        (held("r", crashes=2), ["r"], "verdicts"),
        (held("r", verdict=Verdict.TIME_LIMIT), ["r"], "released"),
    ],
)
def test_only_who_ran_alone_is_charged(claim, started, kind):
    reaped = outcome(claim, started)
    assert list(getattr(reaped, kind)) == ["task-r"]
    assert sum(map(len, (reaped.released, reaped.suspects, reaped.crashed, reaped.verdicts))) == 1


def test_a_given_verdict_charges_no_crash():
    sentence = judge([held("r")], started=["r"], verdicts={"r": Verdict.TIME_LIMIT}, crash_limit=3)[0]
    assert (sentence.crashes, sentence.verdict) == (0, Verdict.TIME_LIMIT)


def test_a_limit_of_one_makes_the_first_crash_poison():
    assert outcome(held("r"), ["r"], limit=1).verdicts == {"task-r": Verdict.POISON}
