"""Judges a run: what it left behind against what a direct computation says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from umbel.demo.chaos import Kill
from umbel.demo.ledger import Counts
from umbel.demo.plot import draw
from umbel.demo.progress import grouped
from umbel.demo.reference import Reference
from umbel.demo.report import Check, Questions, Report
from umbel.demo.tally import TallyRow
from umbel.transports.base import DeadLetter

__all__ = ["Evidence", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one run left behind.

    ``asked`` and ``answered`` are the moments (epoch seconds) at which critical questions were asked and
    their bodies began, by task id. ``unfinished`` are tasks that the killed shard held and that never
    ended anywhere. ``pieces`` are the measurements that are stored, however often they ran. ``totals``
    came through the chords, ``measured`` is the sum of what the pieces stored.
    """

    counts: Counts
    kill: Kill | None
    chaos: bool
    seconds: float
    asked: Mapping[str, float]
    answered: Mapping[str, float]
    backlog: int
    recovered_after: float | None
    unfinished: Sequence[str]
    letters: Sequence[DeadLetter]
    pieces: int
    totals: Sequence[TallyRow]
    measured: Sequence[TallyRow]
    register_answered: int
    register_refused: int
    exit_code: int


def judge(evidence: Evidence, reference: Reference, *, folder: Path, plot: Path) -> Report:
    """Return the report on a run, with every check, and write its plot."""
    draw(evidence.totals, plot, flights=_departures(evidence.totals))
    return Report(
        flights=reference.flights,
        counted=reference.counted,
        executions=evidence.counts.executions,
        seconds=evidence.seconds,
        processes=len(evidence.counts.processes),
        retries=evidence.counts.retries,
        refused=evidence.register_refused,
        answered=evidence.register_answered,
        recovered=len(evidence.counts.recovered),
        recovered_after=evidence.recovered_after,
        kill=evidence.kill,
        dead_letters=len(evidence.letters),
        rejected=reference.rejected,
        questions=_questions(evidence),
        checks=[
            _same_totals(evidence, reference),
            _counted_once(evidence),
            _dirty_rows_kept(evidence, reference),
            _clean_end(evidence),
            *([_recovered(evidence)] if evidence.chaos else []),
        ],
        plot=str(plot),
        folder=str(folder),
    )


def _same_totals(evidence: Evidence, reference: Reference) -> Check:
    differing = len(set(evidence.totals) ^ set(reference.totals))
    found = f"{grouped(len(evidence.totals))} airport months of {grouped(_departures(evidence.totals))} flights"
    return Check(
        "totals equal the direct computation",
        differing == 0 and len(evidence.totals) == len(reference.totals),
        found if not differing else f"{found}; {differing} rows differ",
    )


def _counted_once(evidence: Evidence) -> Check:
    return Check(
        "the chords added up what the pieces stored",
        list(evidence.measured) == list(evidence.totals),
        f"{grouped(evidence.pieces)} pieces, measured {grouped(evidence.counts.done('measure'))} times",
    )


def _dirty_rows_kept(evidence: Evidence, reference: Reference) -> Check:
    rows = {letter.envelope.task_id: str(letter.error.get("error_code")) for letter in evidence.letters}
    found = Counter(rows.values())
    return Check(
        "every dirty row is one dead letter",
        found == reference.rejected and len(rows) == len(evidence.letters),
        f"{grouped(sum(reference.rejected.values()))} rows, {grouped(len(evidence.letters))} letters, code by code",
    )


def _clean_end(evidence: Evidence) -> Check:
    return Check("the worker drained and ended well", evidence.exit_code == 0, f"exit code {evidence.exit_code}")


def _recovered(evidence: Evidence) -> Check:
    claim = "what the killed shard held ran again"
    if evidence.kill is None:
        return Check(claim, holds=False, detail="the run was over before a shard was busy: ask for more flights")
    held, again = len(evidence.kill.held), len(evidence.counts.recovered)
    detail = f"{grouped(again)} of {grouped(held)} tasks"
    if evidence.unfinished:
        detail += f"; never ended: {', '.join(evidence.unfinished)}"
    return Check(claim, again == held > 0 and not evidence.unfinished, detail)


def _questions(evidence: Evidence) -> Questions:
    waits = [evidence.answered[key] - asked for key, asked in evidence.asked.items() if key in evidence.answered]
    return Questions(
        asked=len(waits),
        median=median(waits) if waits else 0.0,
        worst=max(waits, default=0.0),
        backlog=evidence.backlog,
    )


def _departures(totals: Sequence[TallyRow]) -> int:
    return sum(row[2] for row in totals)
