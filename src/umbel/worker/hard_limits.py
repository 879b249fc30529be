"""Hard limits, which the supervisor enforces from outside, because a body may hold the interpreter's lock.

A body that has passed its hard time limit, or a shard far over its memory, ends with its process. Its
neighbours in that process have done nothing wrong: the shard claims no more, gives back what waits, a
replacement starts, and they get ``grace`` seconds to end; then the process is killed, they run again
elsewhere without blame, and the verdict travels with the culprit's message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from umbel.outcomes import Verdict

if TYPE_CHECKING:
    from umbel.transports.runtable import Running
    from umbel.worker.roster import Shard

__all__ = [
    "HANGS_AFTER",
    "MEMORY_KILL_FACTOR",
    "SETTLE_TIME",
    "condemn",
    "due_to_die",
    "enforce_time",
    "memory_verdicts",
    "resident",
]

SETTLE_TIME = 0.5
"""Seconds that a condemned shard gets to settle what has ended and give back what waits."""

MEMORY_KILL_FACTOR = 1.5
"""A shard over its limit is replaced; one over this many times its limit is killed."""

HANGS_AFTER = 3.0
"""Seconds without a turn of a condemned shard's consumer: a body holds the interpreter, and its neighbours,
which get on no more, gain nothing from more grace."""


def enforce_time(shard: Shard, now: float, grace: float) -> bool:
    """Condemn the shard if one of its bodies has passed its hard limit; return whether it was."""
    late = [run for run in shard.running() if run.hard_deadline and now >= run.hard_deadline]
    new = [run for run in late if run.receipt not in shard.verdicts]
    for run in new:
        shard.sentence(run, Verdict.TIME_LIMIT)
    if new:
        condemn(shard, f"hard time limit of {new[0].task_id}", now, grace)
    return bool(new)


def condemn(shard: Shard, cause: str, now: float, grace: float) -> None:
    """Let the shard's innocent bodies end, then kill it."""
    innocent = [run for run in shard.running() if run.receipt not in shard.verdicts]
    shard.cause = cause
    shard.drain(cause)
    until = now + (grace if innocent else SETTLE_TIME)
    shard.condemned_until = until if shard.condemned_until is None else min(shard.condemned_until, until)


def due_to_die(shard: Shard, now: float) -> bool:
    """Return whether a condemned shard's time is over: the grace has passed, or nobody in it can use more."""
    if shard.condemned_until is None:
        return False
    if now >= shard.condemned_until or _hangs(shard, now):
        return True
    return not _innocent(shard) and now >= shard.condemned_until - SETTLE_TIME


def resident(pid: int) -> int:
    """Return a process's resident memory that it shares with no other process, in bytes; 0 when unknown."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:  # noqa: PTH123 - read once a second
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
    except (OSError, ValueError):
        return 0
    private = (fields.get(name, "0 kB").split()[0] for name in ("Private_Clean", "Private_Dirty"))
    return sum(int(value) for value in private) * 1024


def memory_verdicts(shard: Shard) -> None:
    """Blame the body that ran, if it ran alone."""
    running = shard.running()
    if len(running) == 1:
        shard.sentence(running[0], Verdict.MEMORY_LIMIT)


def _hangs(shard: Shard, now: float) -> bool:
    table = shard.table
    return table is not None and now - table.heartbeat > HANGS_AFTER


def _innocent(shard: Shard) -> list[Running]:
    return [run for run in shard.running() if run.receipt not in shard.verdicts]
