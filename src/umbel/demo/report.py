"""What the run has shown, and whether it was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from umbel.demo.chaos import Kill
from umbel.demo.progress import grouped

__all__ = ["Check", "Questions", "Report", "document", "show"]


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison with the truth; ``detail`` says what was compared."""

    claim: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Questions:
    """How long critical questions waited, in seconds, while up to ``backlog`` bulk tasks waited."""

    asked: int
    median: float
    worst: float
    backlog: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of one run.

    ``seconds`` is the time from the first message to the last acknowledgement, ``refused`` and
    ``answered`` count requests at the register, ``rejected`` dirty rows by error code, and
    ``recovered_after`` the seconds from the kill to the first task that ran again.
    """

    flights: int
    counted: int
    executions: int
    seconds: float
    processes: int
    retries: int
    refused: int
    answered: int
    recovered: int
    recovered_after: float | None
    kill: Kill | None
    dead_letters: int
    rejected: Mapping[str, int]
    questions: Questions
    checks: Sequence[Check]
    plot: str
    folder: str

    @property
    def rate(self) -> float:
        """Executions a second."""
        return self.executions / self.seconds if self.seconds else 0.0

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


def document(report: Report) -> dict[str, Any]:
    """Return the report, JSON-ready."""
    kill = report.kill
    return {
        "ok": report.ok,
        "flights": report.flights,
        "counted": report.counted,
        "executions": report.executions,
        "seconds": round(report.seconds, 3),
        "rate": round(report.rate, 1),
        "worker_processes": report.processes,
        "retries": report.retries,
        "register": {"answered": report.answered, "refused": report.refused},
        "kill": None
        if kill is None
        else {"shard": kill.shard, "pid": kill.pid, "held": len(kill.held), "running": list(kill.running)},
        "recovered": report.recovered,
        "recovered_after": report.recovered_after,
        "dead_letters": report.dead_letters,
        "rejected": dict(report.rejected),
        "critical": {
            "asked": report.questions.asked,
            "median_seconds": report.questions.median,
            "worst_seconds": report.questions.worst,
            "backlog": report.questions.backlog,
        },
        "checks": [{"claim": check.claim, "holds": check.holds, "detail": check.detail} for check in report.checks],
        "plot": report.plot,
        "folder": report.folder,
    }


def show(report: Report, console: Console) -> None:
    """Print the report."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(justify="right", style="bold")
    facts.add_column()
    for name, number, words in _facts(report):
        facts.add_row(name, number, words)
    console.print()
    _print_trimmed(facts, console)
    console.print()
    for check in report.checks:
        mark, style = ("✓", "green") if check.holds else ("✗", "bold red")
        console.print(Text.assemble((f"{mark} {check.claim}", style), (f"  {check.detail}", "dim")), soft_wrap=True)
    console.print()
    console.print(Text.assemble(("plot    ", "dim"), report.plot), soft_wrap=True)
    console.print(Text.assemble(("folder  ", "dim"), report.folder), soft_wrap=True)


def _facts(report: Report) -> list[tuple[str, str, str]]:
    return [
        (
            "flights",
            grouped(report.flights),
            f"{grouped(report.counted)} clean, {grouped(report.flights - report.counted)} dirty",
        ),
        ("executions", grouped(report.executions), f"in {report.seconds:.1f} s: {grouped(report.rate)}/s"),
        ("retries", grouped(report.retries), _register(report)),
        ("recovered", grouped(report.recovered), _recovery(report)),
        ("dead letters", grouped(report.dead_letters), _dirty(report)),
        ("questions", grouped(report.questions.asked), _questions(report.questions)),
    ]


def _print_trimmed(table: Table, console: Console) -> None:
    """Print a table; what is not a terminal gets no trailing blanks."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        console.print(line.rstrip(), soft_wrap=True, highlight=False, markup=False)


def _dirty(report: Report) -> str:
    words = {"FLIGHT_CANCELLED": "cancelled", "FLIGHT_DIVERTED": "diverted", "AIRCRAFT_UNKNOWN": "unknown aircraft"}
    return ", ".join(
        f"{grouped(count)} {words.get(code, code)}"
        for code, count in sorted(report.rejected.items(), key=lambda item: -item[1])
    )


def _register(report: Report) -> str:
    return f"the register refused {grouped(report.refused)} of {grouped(report.refused + report.answered)} requests"


def _recovery(report: Report) -> str:
    if report.kill is None:
        return "no shard was killed"
    after = "never" if report.recovered_after is None else f"after {report.recovered_after:.2f} s"
    return f"of {grouped(len(report.kill.held))} that pid {report.kill.pid} held; ran again {after}"


def _questions(questions: Questions) -> str:
    return (
        f"critical, past {grouped(questions.backlog)} in bulk: median {questions.median * 1000:.0f} ms, "
        f"worst {questions.worst * 1000:.0f} ms"
    )
