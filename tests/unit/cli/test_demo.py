"""The exit code and the output follow from the report; the run itself is tested in tests/acceptance."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from umbel.cli.program import run
from umbel.demo import run as runs
from umbel.demo.report import Check, Questions, Report


def report_with(*checks: Check) -> Report:
    return Report(
        flights=1_000,
        counted=990,
        executions=500,
        seconds=2.0,
        processes=2,
        retries=3,
        refused=3,
        answered=9,
        recovered=0,
        recovered_after=None,
        kill=None,
        dead_letters=10,
        rejected={"FLIGHT_CANCELLED": 10},
        questions=Questions(asked=1, median=0.01, worst=0.01, backlog=5),
        checks=checks,
        plot="/somewhere/delays.png",
        folder="/somewhere",
    )


RIGHT = Check("totals equal", holds=True, detail="all of them")
WRONG = Check("nothing was lost", holds=False, detail="one row was")


@pytest.fixture
def ending_with(monkeypatch):
    def end(checks: Sequence[Check]) -> list[runs.DemoOptions]:
        asked: list[runs.DemoOptions] = []

        def substitute(options, view):
            asked.append(options)
            return report_with(*checks)

        # A wrong total cannot be had from a run: the point is what the command makes of one.
        monkeypatch.setattr(runs, "run", substitute)
        return asked

    return end


def test_a_run_that_was_right_ends_with_0_and_names_the_plot(ending_with, capsys):
    asked = ending_with([RIGHT])
    assert run(["demo", "--flights", "5000", "--no-chaos"]) == 0
    assert (asked[0].flights, asked[0].chaos) == (5_000, False)
    assert "/somewhere/delays.png" in capsys.readouterr().out


def test_a_check_that_does_not_hold_ends_with_1(ending_with, capsys):
    ending_with([RIGHT, WRONG])
    assert run(["demo"]) == 1
    assert "✗ nothing was lost  one row was" in capsys.readouterr().out


def test_json_is_one_document_on_stdout(ending_with, capsys):
    ending_with([RIGHT, WRONG])
    assert run(["demo", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["rate"] == 250.0


@pytest.mark.parametrize("arguments", [["--flights", "999"], ["--flights", "336777"], ["--threads", "0"]])
def test_impossible_sizes_are_refused(arguments, capsys):
    assert run(["demo", *arguments]) == 2
    assert "range" in capsys.readouterr().err
