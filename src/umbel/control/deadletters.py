"""Dead letters as an operator handles them: find, look at, replay at a rate, discard.

What is replayed or discarded is chosen once, before anything moves (:func:`choose_dead_letters`), so
that a task which fails again while a replay goes on is not replayed again by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from umbel.clock import Clock, SystemClock, Timestamp, to_datetime
from umbel.control.payloads import Payload, payload_of
from umbel.errors import NotFoundError
from umbel.outcomes import Reason
from umbel.transports.base import DeadLetter, DeadLetterFilter, Store

__all__ = [
    "Discarded",
    "Letter",
    "LetterDetail",
    "LetterPage",
    "Replayed",
    "Selection",
    "choose_dead_letters",
    "discard_dead_letters",
    "list_dead_letters",
    "replay_dead_letters",
    "show_dead_letter",
]

_PAGE = 500
"""Letters read at once: a page holds whole messages, an id is small."""
_BATCH = 200
"""Letters moved in one transaction, so that workers are never kept waiting for the write lock."""
_TICKS_PER_SECOND = 10
"""How finely a rate is spread."""

Progress = Callable[[int], None]
"""Called after each batch with the number of letters handled so far."""


def _unheard(done: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters; every field that is set must match. Ages are counted from now."""

    ids: Sequence[str] = ()
    queue: str | None = None
    task: str | None = None
    task_id: str | None = None
    reason: Reason | None = None
    error_code: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    limit: int | None = None

    @property
    def everything(self) -> bool:
        """True when nothing narrows the choice but its number."""
        return replace(self, limit=None) == Selection()


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter, without its payload."""

    id: str
    queue: str
    task: str
    task_id: str
    reason: str
    error_code: str
    message: str
    died_at: datetime
    deliveries: int
    crashes: int
    replay: int


@dataclass(frozen=True, slots=True)
class LetterDetail:
    """One dead letter, whole: ``error`` is in the error contract's form."""

    letter: Letter
    error: dict[str, Any]
    payload: Payload
    priority: int
    size: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """The newest letters of a selection, and how many match in all."""

    letters: tuple[Letter, ...]
    matching: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: ``tasks`` maps letters to task ids; ``gone`` had been handled meanwhile."""

    tasks: dict[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discarded:
    """How many letters were removed for good."""

    removed: int


def list_dead_letters(store: Store, selection: Selection, *, clock: Clock | None = None) -> LetterPage:
    """Return the letters that match, newest first, at most ``selection.limit``."""
    where = _filter(selection, clock or SystemClock())
    return LetterPage(tuple(_seen(letter) for letter in store.list_dead(where)), store.count_dead(where))


def show_dead_letter(store: Store, letter_id: str) -> LetterDetail:
    """Return one letter with its error and its decoded arguments.

    Raises:
        NotFoundError: there is no such dead letter.
    """
    found = store.list_dead(DeadLetterFilter(ids=(letter_id,)))
    if not found:
        raise _missing((letter_id,))
    letter = found[0]
    envelope = letter.envelope
    return LetterDetail(
        letter=_seen(letter),
        error=dict(letter.error),
        payload=payload_of(envelope),
        priority=envelope.priority,
        size=len(envelope.head) + len(envelope.body),
        expires_at=None if envelope.expires_at is None else to_datetime(envelope.expires_at),
    )


def choose_dead_letters(store: Store, selection: Selection, *, clock: Clock | None = None) -> tuple[str, ...]:
    """Return the ids of the letters that match now, oldest first; a ``limit`` keeps the newest.

    Raises:
        NotFoundError: one of ``selection.ids`` does not exist or does not match; nothing is chosen.
    """
    where = _filter(selection, clock or SystemClock())
    ids = tuple(reversed(list(_ids(store, where))))
    missing = set(selection.ids).difference(ids) if selection.limit is None else set()
    if missing:
        raise _missing(sorted(missing))
    return ids


def replay_dead_letters(
    store: Store,
    ids: Sequence[str],
    *,
    rate: float | None = None,
    progress: Progress = _unheard,
    clock: Clock | None = None,
) -> Replayed:
    """Move the letters back to their queues, in this order, at most ``rate`` a second (None: at once)."""
    pace = clock or SystemClock()
    tasks: dict[str, str] = {}
    for batch in _paced(ids, rate, progress, pace):
        tasks.update(store.replay(batch))
    return Replayed(tasks, tuple(letter for letter in ids if letter not in tasks))


def discard_dead_letters(store: Store, ids: Sequence[str], *, progress: Progress = _unheard) -> Discarded:
    """Remove the letters for good."""
    return Discarded(sum(store.discard(batch) for batch in _paced(ids, None, progress, SystemClock())))


def _paced(ids: Sequence[str], rate: float | None, progress: Progress, clock: Clock) -> Iterator[Sequence[str]]:
    """Cut into batches, each given out when its time has come, and report each when it was handled."""
    size = _BATCH if rate is None else max(1, min(_BATCH, math.floor(rate / _TICKS_PER_SECOND)))
    start = clock.monotonic()
    for at in range(0, len(ids), size):
        wait = 0.0 if rate is None else start + at / rate - clock.monotonic()
        if wait > 0:
            clock.sleep(wait)
        yield ids[at : at + size]
        progress(min(at + size, len(ids)))


def _ids(store: Store, where: DeadLetterFilter) -> Iterator[str]:
    """Give the ids that match, newest first, without ever holding more than a page of messages.

    The next page begins at the moment of death that the last one ended with, because letters of one
    batch share it; what was given already is left out, and a page full of such letters grows.
    """
    left = math.inf if where.limit is None else where.limit
    given: set[str] = set()
    size, before = _PAGE, where.before
    while left > 0:
        page = store.list_dead(replace(where, before=before, limit=size))
        fresh = [letter.id for letter in page if letter.id not in given][: None if left == math.inf else int(left)]
        yield from fresh
        given.update(fresh)
        left -= len(fresh)
        if len(page) < size:
            return
        if not fresh:
            size *= 2
        before = Timestamp(math.nextafter(page[-1].died_at, math.inf))


def _filter(selection: Selection, clock: Clock) -> DeadLetterFilter:
    now = clock.now()
    return DeadLetterFilter(
        ids=tuple(selection.ids) or None,
        queue=selection.queue,
        task=selection.task,
        task_id=selection.task_id,
        reason=selection.reason,
        error_code=selection.error_code,
        before=_ago(now, selection.older_than),
        after=_ago(now, selection.newer_than),
        limit=selection.limit,
    )


def _ago(now: Timestamp, age: timedelta | None) -> Timestamp | None:
    return None if age is None else Timestamp(now - age.total_seconds())


def _missing(ids: Sequence[str]) -> NotFoundError:
    names = ", ".join(ids)
    return NotFoundError(
        f"no dead letter {names}" if len(ids) == 1 else f"no dead letters {names}",
        hint="umbel deadletters list shows the ids; a filter must match what is named",
        ids=list(ids),
    )


def _seen(letter: DeadLetter) -> Letter:
    return Letter(
        id=letter.id,
        queue=letter.queue,
        task=letter.envelope.task,
        task_id=letter.envelope.task_id,
        reason=str(letter.reason),
        error_code=str(letter.error.get("error_code", "")),
        message=str(letter.error.get("message", "")),
        died_at=to_datetime(letter.died_at),
        deliveries=letter.deliveries,
        crashes=letter.crashes,
        replay=letter.envelope.replay,
    )
