"""The run reads well on terminals of 80 and 120 columns, and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from umbel.demo.progress import LiveView, PlainView, Snapshot, Stage, view_for
from umbel.transports.base import QueueStats

SNAPSHOT = Snapshot(
    elapsed=23.4,
    stages=(Stage("ingest", "blocks", 337, 337), Stage("measure", "pieces", 17_203, 42_100), Stage("later", "things")),
    queues=(
        QueueStats("bulk", 24_881, 3, 96, 0, 11_634, paused=False),
        QueueStats("critical", 0, 0, 1, 0, 0, paused=False),
    ),
    executions=31_224,
    retries=1_127,
    dead=11_634,
    recovered=40,
)


def console(**options):
    return Console(file=io.StringIO(), **options)


def test_a_pipe_gets_lines_and_a_terminal_the_live_view():
    assert isinstance(view_for(console()), PlainView)
    assert isinstance(view_for(console(force_terminal=True)), LiveView)


def test_a_line_says_everything_in_plain_words():
    target = console(width=120)
    PlainView(target).show(SNAPSHOT)
    assert target.file.getvalue() == (
        " 23.4 s  measure 17 203/42 100, 0/s, 24 884 waiting, 1 127 retries, 11 634 dead letters, 40 recovered\n"
    )


def test_plain_lines_come_every_two_seconds_and_name_the_rate():
    target = console(width=120)
    view = PlainView(target)
    for tenth in range(41):
        view.show(Snapshot(elapsed=tenth / 10, executions=tenth * 150))
    lines = target.file.getvalue().splitlines()
    assert len(lines) == 3
    assert "1 500/s" in lines[-1]


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_view_fits_the_terminal(width):
    target = console(width=width, force_terminal=True, color_system=None)
    with LiveView(target) as view:
        view.show(SNAPSHOT)
        view.say("a shard died")
    text = target.file.getvalue()
    assert all(len(line) <= width for line in text.splitlines() if "\x1b" not in line)
    for word in ("17 203/42 100 pieces", "24 881", "11 634", "a shard died", "31 224"):
        assert word in text
