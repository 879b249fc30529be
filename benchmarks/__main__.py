"""``python -m benchmarks``: measure Umbel beside its peers on SQLite, print and keep the table."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.ledger import Ledger
from benchmarks.system import System

SYSTEMS = (
    System(
        "Umbel",
        ("umbel", "celery"),
        "benchmarks.systems.umbel_sqlite",
        (
            "umbel",
            "-A",
            "benchmarks.systems.umbel_sqlite:app",
            "worker",
            "--processes",
            "2",
            "--threads",
            "1",
            "-l",
            "WARNING",
        ),
        "late ack after stored result, leases, crash recovery",
        30_000,
    ),
    System(
        "Huey, 4 threads",
        ("huey",),
        "benchmarks.systems.huey_sqlite",
        (
            "huey.bin.huey_consumer",
            "benchmarks.systems.huey_sqlite.huey",
            "-w",
            "4",
            "-k",
            "thread",
            "-n",
            "-q",
            "-d",
            "0.01",
        ),
        "none: a crash loses what runs",
        6_000,
    ),
    System(
        "Huey, 2 processes",
        ("huey",),
        "benchmarks.systems.huey_sqlite",
        (
            "huey.bin.huey_consumer",
            "benchmarks.systems.huey_sqlite.huey",
            "-w",
            "2",
            "-k",
            "process",
            "-n",
            "-q",
            "-d",
            "0.01",
        ),
        "none: a crash loses what runs",
        6_000,
    ),
    System(
        "Celery prefork -c2",
        ("celery", "sqlalchemy"),
        "benchmarks.systems.celery_sqla",
        (
            "celery",
            "-A",
            "benchmarks.systems.celery_sqla:app",
            "worker",
            "-c",
            "2",
            "-l",
            "WARNING",
            "--without-mingle",
            "--without-gossip",
        ),
        "acks_late is set, but the transport has no lease: a crash loses what runs",
        1_500,
    ),
)

FLOOR = 5
"""How many times as fast as Huey on SQLite Umbel must drain."""

_CALLS = 200
_PAUSE = 0.02


@dataclass
class Figures:
    """All rounds of one system. Rates are tasks a second, latencies seconds, memory bytes."""

    publish: list[float] = field(default_factory=list)
    drain: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def measure(system: System, figures: Figures, scale: float) -> None:
    """Run one round: publish, drain with two processes, then single calls to the idle worker."""
    count = max(200, int(system.tasks * scale))
    with tempfile.TemporaryDirectory(prefix="umbel-bench-") as name:
        folder = Path(name)
        ledger = Ledger(folder)
        figures.publish.append(count / system.produce(folder, f"publish({count})"))
        with system.worker(folder) as worker:
            first = ledger.wait(1, timeout=60)
            last = ledger.wait(count, timeout=300)
            figures.drain.append((count - 1) / (last - first))
            _await(lambda: system.stored(folder, count))
            again = f"[time.sleep({_PAUSE}) or module.call(time.monotonic()) for _ in range({_CALLS})]"
            system.produce(folder, f"call(time.monotonic()) or {again}")
            _await(lambda: len(ledger.latencies()) > _CALLS)
            figures.latencies += ledger.latencies()[1:]
            figures.memory.append(worker.memory())


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            message = "the results were not stored within 60 s"
            raise TimeoutError(message)
        time.sleep(0.1)


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] * 1000


def _range(values: list[float], digits: int = 0) -> str:
    return f"{min(values):,.{digits}f}-{max(values):,.{digits}f}"


def render(results: dict[str, Figures]) -> Table:
    """Return the table: medians, with minimum and maximum below, and ratios to the fastest Huey of the same round."""
    title = "SQLite, no-op tasks, results stored, two worker processes"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("system", "drain/s", "x Huey", "publish/s", "p50 ms", "p99 ms", "MiB"):
        table.add_column(column, justify="left" if column == "system" else "right", no_wrap=True)
    for system in SYSTEMS:
        figures = results[system.name]
        times = ratios(results, system.name)
        table.add_row(
            system.name,
            f"{statistics.median(figures.drain):,.0f}\n{_range(figures.drain)}",
            f"{statistics.median(times):.1f}\n{_range(times, 1)}",
            f"{statistics.median(figures.publish):,.0f}\n{_range(figures.publish)}",
            f"{_percentile(figures.latencies, 50):.1f}",
            f"{_percentile(figures.latencies, 99):.1f}",
            f"{statistics.median(figures.memory) / 2**20:.0f}",
        )
    return table


def legend() -> list[str]:
    """Return what was measured, and under which promises."""
    lines = [f"{system.name}: {system.versions}. Safety: {system.safety}." for system in SYSTEMS]
    return [
        *lines,
        "Latency: from the call to the start of the body, idle worker. MiB: proportional set size, all processes.",
    ]


def ratios(results: dict[str, Figures], name: str) -> list[float]:
    """Return, round by round, this system's drain over the fastest Huey's."""
    peers = [figures.drain for system, figures in results.items() if system.startswith("Huey")]
    best = [max(round_) for round_ in zip(*peers, strict=True)]
    return [mine / peer for mine, peer in zip(results[name].drain, best, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the number of tasks")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    options = parser.parse_args()
    results = {system.name: Figures() for system in SYSTEMS}
    console = Console()
    with Progress(console=console, transient=True) as progress:
        step = progress.add_task("measuring", total=options.rounds * len(SYSTEMS))
        for _ in range(options.rounds):
            for system in SYSTEMS:
                progress.update(step, description=system.name)
                measure(system, results[system.name], options.scale)
                progress.advance(step)
    console.print(render(results))
    for line in legend():
        console.print(line, highlight=False)
    median = statistics.median(ratios(results, "Umbel"))
    console.print(f"Umbel drains {median:.1f} times as fast as the fastest Huey of the same round (floor: {FLOOR}).")
    if options.json:
        options.json.write_text(json.dumps({name: vars(figures) for name, figures in results.items()}, indent=1))


if __name__ == "__main__":
    main()
