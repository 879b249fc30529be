"""Who is to blame when a process dies: one rule for every store.

Only bodies that ran can be guilty. One that ran alone is: its crash is counted. Of several, each is
suspect, and runs alone next time. A suspect that was alone and dies again as often as the limit allows
is poison; a neighbour of a segfault never is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from umbel.outcomes import Verdict
from umbel.transports.base import Reaped, Receipt

__all__ = ["Held", "Sentence", "judge", "report"]


@dataclass(frozen=True, slots=True)
class Held:
    """A claim of a dead process. ``alone``: it had been isolated."""

    receipt: Receipt
    task_id: str
    crashes: int
    suspect: bool
    alone: bool
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """How the message goes back to its queue."""

    held: Held
    crashes: int
    suspect: bool
    verdict: Verdict | None


def judge(
    claims: Sequence[Held],
    *,
    started: Collection[Receipt] | None,
    verdicts: Mapping[Receipt, Verdict] | None,
    crash_limit: int,
) -> list[Sentence]:
    """Return a sentence for every claim; the rules stand at :meth:`umbel.transports.base.QueueStore.reap`."""
    given = verdicts or {}
    return [_sentence(held, started, given.get(held.receipt), crash_limit) for held in claims]


def report(sentences: Sequence[Sentence]) -> Reaped:
    """Return what was done, as task ids, each in one list only."""
    released: list[str] = []
    suspects: list[str] = []
    crashed: list[str] = []
    verdicts: dict[str, Verdict] = {}
    for sentence in sentences:
        held = sentence.held
        if sentence.verdict is not None and sentence.verdict is not held.verdict:
            verdicts[held.task_id] = sentence.verdict
        elif sentence.crashes > held.crashes:
            crashed.append(held.task_id)
        elif sentence.suspect and not held.suspect:
            suspects.append(held.task_id)
        else:
            released.append(held.task_id)
    return Reaped(released, suspects, crashed, verdicts)


def _sentence(held: Held, started: Collection[Receipt] | None, verdict: Verdict | None, crash_limit: int) -> Sentence:
    if held.verdict is not None:
        return Sentence(held, held.crashes, held.suspect, held.verdict)
    if verdict is not None:
        return Sentence(held, held.crashes, held.suspect, verdict)
    if started is not None and held.receipt not in started:
        return Sentence(held, held.crashes, held.suspect, None)
    if held.alone or (started is not None and len(started) == 1):
        crashes = held.crashes + 1
        return Sentence(held, crashes, suspect=True, verdict=Verdict.POISON if crashes >= crash_limit else None)
    return Sentence(held, held.crashes, suspect=True, verdict=None)
