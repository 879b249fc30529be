"""How one delivery of a task can end, as data instead of exceptions, and why a message dies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from umbel.clock import Timestamp

__all__ = [
    "Cancelled",
    "Completed",
    "Discarded",
    "Lost",
    "Outcome",
    "Reason",
    "Retried",
    "Snoozed",
    "Verdict",
]


class Reason(StrEnum):
    """Why a message is a dead letter."""

    PERMANENT = "permanent"
    EXHAUSTED = "exhausted"
    FAILED = "failed"
    POISON = "poison"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    UNDECODABLE = "undecodable"
    INVALID = "invalid"
    OVERSIZE = "oversize"
    REJECTED = "rejected"


class Verdict(StrEnum):
    """What a dead process's message carries: the next claimant records it instead of running."""

    POISON = "poison"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"


@dataclass(frozen=True, slots=True)
class Completed:
    """The body returned."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Retried:
    """The task was published again, to run at ``at``."""

    at: Timestamp
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The same delivery waits in the broker until ``at``; no attempt is spent."""

    at: Timestamp


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The task was revoked or expired."""

    reason: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """The task will not run again; its message becomes a dead letter."""

    reason: Reason
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lost:
    """The process died; the message is redelivered."""


Outcome = Completed | Retried | Snoozed | Cancelled | Discarded | Lost
