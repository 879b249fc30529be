"""What a store must hold, as plainly as it can be said."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from umbel.clock import Timestamp
from umbel.message import Envelope
from umbel.outcomes import Verdict

__all__ = ["Entry", "Model"]

_WINDOW = 3_600.0
"""Seconds; the stores' default window of deduplication."""


@dataclass
class Entry:
    """One message. Its state is waiting, claimed, parked or dead; ``place`` is the order of publishing."""

    task_id: str
    task: str
    queue: str
    priority: int
    group: str | None
    due: float
    place: int
    state: str = "waiting"
    owner: str = ""
    receipt: str = ""
    deliveries: int = 0
    crashes: int = 0
    suspect: bool = False
    alone: bool = False
    verdict: Verdict | None = None
    replay: int = 0

    def take(self, receipt: str, owner: str) -> None:
        """Be claimed."""
        self.state, self.receipt, self.owner, self.alone = "claimed", receipt, owner, False
        self.deliveries += 1

    def give_back(self, now: float, until: float | None) -> None:
        """Wait again, at once or from ``until``."""
        self.state, self.receipt, self.owner, self.alone = "waiting", "", "", False
        self.due = now if until is None else until

    def park(self) -> None:
        """Be set aside."""
        self.state, self.receipt, self.owner, self.alone = "parked", "", "", False

    def die(self) -> None:
        """Become a dead letter."""
        self.state, self.receipt, self.owner, self.alone = "dead", "", "", False


@dataclass
class Model:
    """All messages by task id, and what else decides who gets them."""

    entries: dict[str, Entry] = field(default_factory=dict)
    consumers: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    dedup: dict[tuple[str, str], float] = field(default_factory=dict)
    places: int = 0

    def publish(self, queue: str, envelope: Envelope, now: float) -> bool:
        """Add a message unless it is a repeat; return whether it was added."""
        if envelope.dedup is not None:
            if self.dedup.get((queue, envelope.dedup), 0.0) > now:
                return False
            self.dedup[queue, envelope.dedup] = now + _WINDOW
        self.places += 1
        self.entries[envelope.task_id] = Entry(
            envelope.task_id,
            envelope.task,
            queue,
            envelope.priority,
            envelope.group_key,
            max(envelope.visible_at, now),
            self.places,
        )
        return True

    def claimable(self, queue: str, consumer: str, skip: Collection[str], now: float) -> list[Entry]:
        """Return what a claim without a limit takes, in order."""
        if consumer not in self.consumers or queue in self.paused:
            return []
        due = [entry for entry in self.within(queue, "waiting") if entry.due <= now and entry.group not in skip]
        return sorted(due, key=lambda entry: (-entry.priority, entry.place))

    def next_due(self, queue: str, now: float) -> Timestamp | None:
        """Return when the next delayed message is due."""
        times = [entry.due for entry in self.within(queue, "waiting") if entry.due > now]
        return Timestamp(min(times)) if times else None

    def within(self, queue: str, state: str) -> list[Entry]:
        """Return the queue's messages in a state."""
        return [entry for entry in self.entries.values() if entry.queue == queue and entry.state == state]

    def in_state(self, state: str) -> list[Entry]:
        """Return all messages in a state."""
        return [entry for entry in self.entries.values() if entry.state == state]

    def settle(self, entry: Entry, way: str, now: float, until: float | None) -> None:
        """Do to one message what a settlement does."""
        if way == "ack":
            self.remove(entry)
        elif way == "release":
            entry.give_back(now, until)
        elif way == "park":
            entry.park()
        else:
            entry.die()

    def owned_by(self, receipts: Sequence[str]) -> list[Entry]:
        """Return the messages that these receipts own now."""
        return [entry for entry in self.entries.values() if entry.state == "claimed" and entry.receipt in receipts]

    def held_by(self, consumer: str) -> list[Entry]:
        """Return what a consumer holds."""
        return [entry for entry in self.entries.values() if entry.state == "claimed" and entry.owner == consumer]

    def counts(self, queue: str, now: float) -> tuple[int, int, int, int, int]:
        """Return ready, delayed, claimed, parked, dead."""
        waiting = self.within(queue, "waiting")
        ready = sum(entry.due <= now for entry in waiting)
        others = (len(self.within(queue, state)) for state in ("claimed", "parked", "dead"))
        claimed, parked, dead = others
        return ready, len(waiting) - ready, claimed, parked, dead

    def give_back(
        self,
        held: list[Entry],
        started: Sequence[str] | None,
        verdicts: dict[str, Verdict],
        crash_limit: int,
        now: float,
    ) -> dict[str, list[str]]:
        """Let all of them wait again, with the blame that is due; return what was done, as task ids."""
        done: dict[str, list[str]] = {"released": [], "suspects": [], "crashed": [], "verdicts": []}
        for entry in held:
            done[self._blame(entry, started, verdicts, crash_limit)].append(entry.task_id)
            entry.give_back(now, None)
        return {name: sorted(names) for name, names in done.items()}

    def lift(self, task_id: str, *, replayed: bool) -> None:
        """A dead letter is no more; replayed, it starts afresh behind all others."""
        old = self.entries.pop(task_id)
        if not replayed:
            return
        self.places += 1
        self.entries[task_id] = Entry(
            old.task_id, old.task, old.queue, old.priority, old.group, 0.0, self.places, replay=old.replay + 1
        )

    def remove(self, entry: Entry) -> None:
        """Forget a message."""
        del self.entries[entry.task_id]

    def _blame(
        self, entry: Entry, started: Sequence[str] | None, verdicts: dict[str, Verdict], crash_limit: int
    ) -> str:
        if entry.verdict is not None:
            return "released"
        if entry.receipt in verdicts:
            entry.verdict = verdicts[entry.receipt]
            return "verdicts"
        if started is not None and entry.receipt not in started:
            return "released"
        already = entry.suspect
        entry.suspect = True
        if entry.alone or (started is not None and len(started) == 1):
            entry.crashes += 1
            if entry.crashes >= crash_limit:
                entry.verdict = Verdict.POISON
                return "verdicts"
            return "crashed"
        return "released" if already else "suspects"
