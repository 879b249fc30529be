"""What the run looks like while it goes on: a live view on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from umbel.transports.base import QueueStats

__all__ = ["LiveView", "PlainView", "Snapshot", "Stage", "View", "grouped", "view_for"]

_RATE_SECONDS = 3.0
_PLAIN_SECONDS = 2.0
_NARROW = 100


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline; ``total`` is None before it begins."""

    name: str
    unit: str
    done: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the run at one moment; ``elapsed`` in seconds, ``rate`` in executions a second."""

    elapsed: float = 0.0
    stages: tuple[Stage, ...] = ()
    queues: Sequence[QueueStats] = ()
    executions: int = 0
    retries: int = 0
    dead: int = 0
    recovered: int = 0
    rate: float = 0.0


class View(Protocol):
    """Shows snapshots and single events."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; leave the last state on the screen."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Show a newer state."""
        ...

    def say(self, text: str) -> None:
        """Show something that has happened, for good."""
        ...


def view_for(console: Console) -> View:
    """Return the view that suits the console."""
    return LiveView(console) if console.is_terminal and not console.is_dumb_terminal else PlainView(console)


@dataclass(slots=True)
class _Rate:
    """Executions a second over the last few seconds."""

    points: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, snapshot: Snapshot) -> Snapshot:
        self.points.append((snapshot.elapsed, snapshot.executions))
        while snapshot.elapsed - self.points[0][0] > _RATE_SECONDS:
            self.points.popleft()
        began, before = self.points[0]
        passed = snapshot.elapsed - began
        return replace(snapshot, rate=(snapshot.executions - before) / passed if passed else 0.0)


class PlainView:
    """One line every two seconds, for pipes, files and dumb terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rate = _Rate()
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: every line is already out."""

    def show(self, snapshot: Snapshot) -> None:
        """Print a line when one is due."""
        snapshot = self._rate.add(snapshot)
        if snapshot.elapsed < self._due:
            return
        self._due = snapshot.elapsed + _PLAIN_SECONDS
        waiting = sum(stats.ready + stats.delayed for stats in snapshot.queues)
        active = [stage for stage in snapshot.stages if stage.total is not None]
        where = f"{active[-1].name} {grouped(active[-1].done)}/{grouped(active[-1].total)}, " if active else ""
        self.say(
            f"{snapshot.elapsed:5.1f} s  {where}{grouped(snapshot.rate)}/s, {grouped(waiting)} waiting, "
            f"{grouped(snapshot.retries)} retries, {grouped(snapshot.dead)} dead letters, "
            f"{grouped(snapshot.recovered)} recovered"
        )

    def say(self, text: str) -> None:
        """Print the line."""
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


class LiveView:
    """Bars for the stages, a table of the queues, the counts, and what has happened."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rate = _Rate()
        self._snapshot = Snapshot()
        self._began = time.monotonic()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Take over a newer state; the screen follows by itself."""
        self._snapshot = self._rate.add(snapshot)

    def say(self, text: str) -> None:
        """Print the line above the live part."""
        self._console.print(Text(text))

    def _render(self) -> RenderableType:
        snapshot = self._snapshot
        below = Table.grid(padding=(0, 6 if self._console.width >= _NARROW else 3))
        below.add_row(_queues(snapshot.queues), _counts(snapshot))
        return Group("", _stages(snapshot.stages), "", below)


def _stages(stages: Sequence[Stage]) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(width=8)
    table.add_column(ratio=1)
    table.add_column(justify="right", min_width=24)
    for stage in stages:
        started = stage.total is not None
        bar = ProgressBar(total=stage.total or 1, completed=stage.done, complete_style="cyan", finished_style="green")
        label = f"{grouped(stage.done)}/{grouped(stage.total)} {stage.unit}" if started else stage.unit
        table.add_row(Text(stage.name, "bold" if started else "dim"), bar, Text(label, "" if started else "dim"))
    return table


def _queues(queues: Sequence[QueueStats]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("queue", min_width=8)
    for title in ("waiting", "delayed", "claimed"):
        table.add_column(title, justify="right", min_width=7)
    for stats in sorted(queues, key=lambda item: item.queue, reverse=True):
        table.add_row(stats.queue, grouped(stats.ready), grouped(stats.delayed), grouped(stats.claimed))
    return table


def _counts(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right", min_width=7)
    table.add_row("executions", Text(grouped(snapshot.executions), "bold"), Text(f"{grouped(snapshot.rate)}/s", "cyan"))
    table.add_row("retries", Text(grouped(snapshot.retries), "yellow"))
    table.add_row("dead letters", Text(grouped(snapshot.dead), "magenta"))
    table.add_row("recovered", Text(grouped(snapshot.recovered), "green"), Text(f"{snapshot.elapsed:.0f} s", "dim"))
    return table


def grouped(number: float | None) -> str:
    """Return a number with its thousands apart.

    >>> grouped(336776)
    '336 776'
    """
    return f"{number or 0:,.0f}".replace(",", " ")
