"""What is stored of a task's outcome and of a chord, as values, and the contract of what stores them.

The rules that a store keeps, in its own transactions:

- *SUCCESS wins.* A stored success is never replaced. A final state (SUCCESS, FAILURE, REVOKED) is never
  replaced by one that is not. So a late writer, such as a process that was declared dead, harms nothing.
- What has expired is not there, whether or not it has been deleted yet.
- The parts of a chord are a set: a part that returns twice is there once. A part's success replaces its
  failure, so that replaying a dead part can complete the chord.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from celery import states

__all__ = ["ChordMember", "ChordPart", "ChordProgress", "ChordState", "ChordStore", "ResultRow", "ResultStore"]


class ResultRow(NamedTuple):
    """A task's state as it is stored; the order is that of the table's columns.

    ``result``, ``children`` and ``extended`` are encoded with the backend's serializer. ``stored_at`` and
    ``expires_at`` (None: never) are seconds since the epoch.
    """

    task_id: str
    status: str
    result: str | bytes
    traceback: str | None
    children: str | bytes | None
    group_id: str | None
    parent_id: str | None
    extended: str | bytes | None
    stored_at: float
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class ChordPart:
    """A header task that has ended. ``position`` is its place in the header, None when it has none.

    ``callback`` is the chord's body as the part's message carries it; it is not stored. ``expires_at`` is
    when the chord may be forgotten if nothing more happens to it.
    """

    group_id: str
    task_id: str
    position: int | None
    status: str
    result: str | bytes
    callback: Any
    root_id: str | None = None
    expires_at: float | None = None

    @property
    def failed(self) -> bool:
        """Whether this part fails the chord."""
        return self.status in states.PROPAGATE_STATES


class ChordState(StrEnum):
    """OPEN: parts are missing. FAILED: the body was failed for a failed part, which may still be
    replayed. DONE: the body was published; late repeats of parts are ignored.
    """

    OPEN = "open"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ChordProgress:
    """How far a chord is. ``size`` is None until the publisher has said it; ``extra`` counts parts that
    were added while it ran; ``failed`` of the ``returned`` parts have failed.
    """

    size: int | None
    extra: int
    returned: int
    failed: int
    state: ChordState

    @property
    def calls_for_action(self) -> bool:
        """Whether all parts are in, and what follows from that has not been done yet."""
        if self.size is None or self.returned < self.size + self.extra:
            return False
        return self.state is ChordState.OPEN or (self.state is ChordState.FAILED and not self.failed)


@dataclass(frozen=True, slots=True)
class ChordMember:
    """A part as it is stored."""

    task_id: str
    status: str
    result: str | bytes


class ResultStore(Protocol):
    """Keeps results and saved groups. Failures raise :class:`~umbel.errors.StorageError`."""

    def write(self, rows: Sequence[ResultRow], parts: Sequence[ChordPart] = ()) -> Sequence[ChordPart]:
        """Store results and chord parts in one transaction; return the parts whose chord calls for action.

        Race: two writers of one result, or of a chord's last two parts, are put in some order; the later
        one of the parts finds the chord complete.
        """
        ...

    def read(self, task_ids: Collection[str]) -> Mapping[str, ResultRow]:
        """Return those of the results that exist, in one query."""
        ...

    def forget(self, task_id: str) -> None:
        """Delete a result."""
        ...

    def save_group(self, group_id: str, content: str | bytes, expires_at: float | None) -> None:
        """Store a group's structure, replacing what is there."""
        ...

    def load_group(self, group_id: str) -> str | bytes | None:
        """Return a group's structure."""
        ...

    def delete_group(self, group_id: str) -> None:
        """Delete a group's structure; its results stay."""
        ...

    def prune(self, limit: int) -> int:
        """Delete up to ``limit`` expired results, groups and chords each; return how many in all."""
        ...


class ChordStore(Protocol):
    """Keeps chords while their parts come in. ``expires_at`` is when it may be forgotten altogether."""

    def open(self, group_id: str, structure: str | bytes | None, expires_at: float | None, *, afresh: bool) -> None:
        """Announce a chord. ``afresh`` forgets an earlier run under the same id; otherwise a chord that is
        there is left as it is, because its messages are repeats that the broker drops.
        """
        ...

    def resize(self, group_id: str, size: int, expires_at: float | None) -> None:
        """Set how many parts the header has; the publisher knows it just before the last is sent."""
        ...

    def extend(self, group_id: str, task_ids: Sequence[str], expires_at: float | None) -> None:
        """Add parts to the chord while it runs; adding one again changes nothing."""
        ...

    def progress(self, group_id: str) -> ChordProgress | None:
        """Return how far the chord is, or None when it is unknown."""
        ...

    def members(self, group_id: str) -> Sequence[ChordMember]:
        """Return the parts that have returned, by position."""
        ...

    def structure(self, group_id: str) -> str | bytes | None:
        """Return the structure that was announced."""
        ...

    def settle(self, group_id: str, state: ChordState, expires_at: float | None) -> None:
        """Record that the body was failed or published; once it is DONE the parts are deleted."""
        ...
