"""The contract as a model: hypothesis looks for the order of calls in which a store breaks it.

The model is a plain dictionary of messages. After every step the store must agree with it on what waits,
what is claimed, parked and dead; each claim must take exactly the messages that the model expects, in
its order, with its marks; each settlement must fence exactly what the model has fenced. At the end
everybody dies, all that is left is claimed and acked, and it must be what the model has left.
So: nothing is lost, nothing is settled twice, order holds within a priority.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from random import Random
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from umbel.clock import ManualClock, Timestamp
from umbel.outcomes import Reason, Verdict
from umbel.testing.contract.handles import LEASE, Opener
from umbel.testing.contract.messages import message
from umbel.testing.contract.model import Model
from umbel.transports.base import Burial, DeadLetterFilter, Reaped, Store

__all__ = ["StoreMachine", "store_machine"]

_QUEUES = ("orders", "mails")
_TASKS = ("shop.charge", "shop.ship")
_CRASH_LIMIT = 2
_MOST_CONSUMERS = 4

_queues = st.sampled_from(_QUEUES)
_groups = st.sampled_from([None, "t1", "t2"])
_delays = st.sampled_from([0.0, 0.0, 5.0, 50.0])
_specs = st.fixed_dictionaries(
    {
        "task": st.sampled_from(_TASKS),
        "priority": st.sampled_from([0, 0, 5, 9]),
        "delay": _delays,
        "group_key": _groups,
        "dedup": st.sampled_from([None, None, None, "k1", "k2"]),
    }
)
_skips = st.sampled_from([set(), set(), {"t1"}, {"t1", "t2"}])
_ways = st.sampled_from(["ack", "ack", "release", "dead_letter", "park"])
_knowledge = st.sampled_from(["all", "one", "none", "unknown"])
_chances = st.integers(0, 2**32 - 1).map(Random)
"""A seed, not hypothesis's own random: that leans to the first of everything, and so to nothing at all."""


class StoreMachine(RuleBasedStateMachine):
    """Steps of consumers, operators and death. Make a runnable one with :func:`store_machine`."""

    resource: ClassVar[Callable[[], AbstractContextManager[Opener]]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.opener = self.stack.enter_context(type(self).resource())
        self.clock = ManualClock()
        self.store = self._open()
        self.model = Model()
        self.handles: dict[str, Store] = {}
        self.receipts: list[str] = []
        self.published = 0

    @initialize()
    def start(self) -> None:
        """Create the queues and a first consumer."""
        for queue in _QUEUES:
            self.store.create(queue)
        self.join()
        for queue in _QUEUES:
            self._publish_plain(queue)

    @precondition(lambda self: len(self.handles) < _MOST_CONSUMERS)
    @rule()
    def join(self) -> None:
        """Another process starts to consume."""
        handle = self._open()
        consumer = handle.register("s@here", lease=LEASE)
        self.handles[consumer] = handle
        self.model.consumers.add(consumer)

    @rule(queue=_queues, specs=st.lists(_specs, min_size=1, max_size=5))
    def publish(self, queue: str, specs: list[dict[str, Any]]) -> None:
        """Publish a batch."""
        now = self.clock.now()
        envelopes, expected = [], []
        for spec in specs:
            self.published += 1
            due = Timestamp(now + spec["delay"]) if spec["delay"] else Timestamp(0.0)
            fields = {name: value for name, value in spec.items() if name != "delay"}
            envelope = message(f"m{self.published}", visible_at=due, **fields)
            envelopes.append(envelope)
            expected.append(self.model.publish(queue, envelope, now))
        assert list(self.store.publish(queue, envelopes)) == expected

    @rule(chance=_chances, queue=_queues, limit=st.integers(1, 6), skip=_skips)
    def claim(self, chance: Random, queue: str, limit: int, skip: set[str]) -> None:
        """A consumer claims; it may have been declared dead without knowing."""
        if not self.handles:
            self.join()
        consumer = chance.choice(sorted(self.handles))
        now = self.clock.now()
        expected = self.model.claimable(queue, consumer, skip, now)[:limit]
        batch = self.handles[consumer].claim(queue, consumer, limit, skip_groups=skip)
        assert [claim.envelope.task_id for claim in batch.claims] == [entry.task_id for entry in expected]
        for claim, entry in zip(batch.claims, expected, strict=True):
            entry.take(claim.receipt, consumer)
            assert claim.deliveries == entry.deliveries
            assert claim.redelivered == (entry.deliveries > 1)
            assert (claim.crashes, claim.suspect, claim.verdict) == (entry.crashes, entry.suspect, entry.verdict)
            assert claim.envelope.replay == entry.replay
            self.receipts.append(claim.receipt)
        if consumer in self.model.consumers and queue not in self.model.paused:
            assert batch.next_due == self.model.next_due(queue, now)

    @rule(chance=_chances, queue=_queues, limit=st.integers(1, 6), way=_ways)
    def claim_and_settle(self, chance: Random, queue: str, limit: int, way: str) -> None:
        """A consumer works."""
        self.claim(chance, queue, limit, set())
        self.settle(chance, way)

    @precondition(lambda self: self.receipts)
    @rule(chance=_chances, way=_ways)
    def settle(self, chance: Random, way: str) -> None:
        """Settle some receipts of the past, current or long fenced."""
        receipts = self._some_receipts(chance)
        until = chance.choice([None, None, Timestamp(self.clock.now() + 5), Timestamp(self.clock.now() + 50)])
        fenced = self._settle(way, receipts, until)
        owned = self.model.owned_by(receipts)
        assert sorted(fenced) == sorted(set(receipts) - {entry.receipt for entry in owned})
        for entry in owned:
            self.model.settle(entry, way, self.clock.now(), until)

    @precondition(lambda self: self.model.in_state("parked"))
    @rule(queue=_queues, tasks=st.sets(st.sampled_from(_TASKS)))
    def unpark(self, queue: str, tasks: set[str]) -> None:
        """A worker learns tasks."""
        known = [entry for entry in self.model.within(queue, "parked") if entry.task in tasks]
        assert self.store.unpark(queue, tasks) == len(known)
        for entry in known:
            entry.give_back(self.clock.now(), None)

    @precondition(lambda self: self.receipts)
    @rule(chance=_chances, what=st.sampled_from(["isolate", "crash"]))
    def endanger(self, chance: Random, what: str) -> None:
        """A suspect is about to run alone, or one body's own process dies."""
        for receipt in self._some_receipts(chance)[:1]:
            owned = self.model.owned_by([receipt])
            if what == "crash":
                reaped = self.store.crash(receipt, crash_limit=_CRASH_LIMIT)
                self._check_reaped(reaped, self.model.give_back(owned, [receipt], {}, _CRASH_LIMIT, self.clock.now()))
                continue
            assert self.store.isolate(receipt) == bool(owned)
            for entry in owned:
                entry.alone = True

    @precondition(lambda self: self.handles)
    @rule(chance=_chances, end=st.sampled_from(["dies", "is declared dead", "retires"]), knowledge=_knowledge)
    def leave(self, chance: Random, end: str, knowledge: str) -> None:
        """A consumer goes; one that was declared dead goes on, and all that it does must be fenced."""
        consumer = chance.choice(sorted(self.handles))
        if end == "dies":
            self._die(consumer)
            self._reap(consumer, knowledge, with_verdict=chance.random() < 1 / 3)
        elif end == "retires":
            self._retire(consumer)
        else:
            self._reap(consumer, knowledge, with_verdict=False)

    @rule(chance=_chances, queue=_queues, what=st.sampled_from(["replay", "discard", "cancel", "purge", "pause"]))
    def operate(self, chance: Random, queue: str, what: str) -> None:
        """An operator intervenes."""
        if what in {"replay", "discard"}:
            self._replay_or_discard(chance, what)
        elif what == "cancel":
            self._cancel(chance)
        elif what == "purge" and chance.random() < 1 / 3:
            self._purge(queue)
        else:
            self._pause_or_resume(queue, paused=queue not in self.model.paused)

    @rule(seconds=st.sampled_from([1.0, 10.0, 100.0, 4_000.0]))
    def advance(self, seconds: float) -> None:
        """Time goes by; the sweep runs now and then."""
        self.clock.advance(seconds)
        assert self.store.sweep() == 0

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Every count is the model's, and every dead letter."""
        now = self.clock.now()
        for stats in self.store.queues():
            counts = (stats.ready, stats.delayed, stats.claimed, stats.parked, stats.dead)
            assert counts == self.model.counts(stats.queue, now), stats
            assert self.store.size(stats.queue) == stats.ready + stats.delayed
        letters = {letter.envelope.task_id for letter in self.store.list_dead(DeadLetterFilter())}
        assert letters == {entry.task_id for entry in self.model.entries.values() if entry.state == "dead"}
        held = {info.id: info.claims for info in self.store.consumers()}
        assert held == {name: len(self.model.held_by(name)) for name in self.model.consumers}

    def teardown(self) -> None:
        """Everybody dies; whatever is left must come out once, in order."""
        try:
            # After a step that failed, the model is no more to be trusted.
            if sys.exc_info()[0] is None:
                self._account_for_everything()
        finally:
            for handle in self.handles.values():
                handle.close()
            self.stack.close()

    def _account_for_everything(self) -> None:
        for consumer in sorted(self.handles):
            self._reap(consumer, "none", with_verdict=False)
        self.clock.advance(10_000)
        last = self.store.register("last", lease=LEASE)
        self.model.consumers.add(last)
        for queue in _QUEUES:
            if self.store.queue_exists(queue):
                self._drain(queue, last)
        left = {entry.task_id for entry in self.model.entries.values() if entry.state != "dead"}
        assert left == set(), "the model has messages that no store gave"

    def _drain(self, queue: str, consumer: str) -> None:
        self._pause_or_resume(queue, paused=False)
        self.unpark(queue, set(_TASKS))
        expected = self.model.claimable(queue, consumer, (), self.clock.now())
        claims = self.store.claim(queue, consumer, len(expected) + 1).claims
        assert [claim.envelope.task_id for claim in claims] == [entry.task_id for entry in expected]
        assert not self.store.ack([claim.receipt for claim in claims])
        assert self.store.size(queue) == 0
        for entry in expected:
            self.model.remove(entry)

    def _publish_plain(self, queue: str) -> None:
        self.publish(
            queue, [{"task": task, "priority": 0, "delay": 0.0, "group_key": None, "dedup": None} for task in _TASKS]
        )

    def _open(self) -> Store:
        store = self.opener(self.clock, None)
        self.stack.callback(store.close)
        return store

    def _replay_or_discard(self, chance: Random, what: str) -> None:
        letters = list(self.store.list_dead(DeadLetterFilter()))
        chosen = chance.sample(letters, min(len(letters), 2))
        ids = [letter.id for letter in chosen]
        if what == "replay":
            # One of them twice: it must be published once.
            assert dict(self.store.replay(ids + ids[:1])) == {item.id: item.envelope.task_id for item in chosen}
        else:
            assert self.store.discard(ids) == len(chosen)
        for letter in chosen:
            self.model.lift(letter.envelope.task_id, replayed=what == "replay")

    def _cancel(self, chance: Random) -> None:
        names = sorted(self.model.entries)
        for name in chance.sample(names, min(len(names), 1)):
            entry = self.model.entries[name]
            waits = entry.state in {"waiting", "parked"}
            assert self.store.cancel(name) == waits
            if waits:
                self.model.remove(entry)

    def _purge(self, queue: str) -> None:
        waiting = self.model.within(queue, "waiting")
        assert self.store.purge(queue) == len(waiting)
        for entry in waiting:
            self.model.remove(entry)

    def _pause_or_resume(self, queue: str, *, paused: bool) -> None:
        if paused:
            self.store.pause(queue)
            self.model.paused.add(queue)
        else:
            self.store.resume(queue)
            self.model.paused.discard(queue)

    def _die(self, consumer: str) -> None:
        self.handles.pop(consumer).close()
        dead = {info.id for info in self.store.dead()}
        assert (consumer in dead) == (consumer in self.model.consumers)

    def _retire(self, consumer: str) -> None:
        handle = self.handles.pop(consumer)
        handle.retire(consumer)
        handle.close()
        self.model.give_back(self.model.held_by(consumer), [], {}, _CRASH_LIMIT, self.clock.now())
        self.model.consumers.discard(consumer)

    def _reap(self, consumer: str, knowledge: str, with_verdict: bool) -> None:
        held = self.model.held_by(consumer)
        receipts = [entry.receipt for entry in held]
        started = {"all": receipts, "one": receipts[:1], "none": [], "unknown": None}[knowledge]
        verdicts = dict.fromkeys(receipts[-1:], Verdict.TIME_LIMIT) if with_verdict else {}
        reaped = self.store.reap(consumer, started=started, verdicts=verdicts, crash_limit=_CRASH_LIMIT)
        expected = self.model.give_back(held, started, verdicts, _CRASH_LIMIT, self.clock.now())
        self.model.consumers.discard(consumer)
        self._check_reaped(reaped, expected)

    def _check_reaped(self, reaped: Reaped, expected: dict[str, list[str]]) -> None:
        assert sorted(reaped.released) == expected["released"]
        assert sorted(reaped.suspects) == expected["suspects"]
        assert sorted(reaped.crashed) == expected["crashed"]
        assert sorted(reaped.verdicts) == expected["verdicts"]

    def _some_receipts(self, chance: Random) -> list[str]:
        held = [entry.receipt for entry in self.model.entries.values() if entry.state == "claimed"]
        current: list[str] = chance.sample(held, chance.randint(min(len(held), 1), len(held)))
        past: list[str] = chance.sample(self.receipts, min(len(self.receipts), chance.randint(0, 2)))
        return list(dict.fromkeys(current + past))

    def _settle(self, way: str, receipts: list[str], until: Timestamp | None) -> Collection[str]:
        if way == "ack":
            return self.store.ack(receipts)
        if way == "release":
            return self.store.release(receipts, visible_at=until)
        if way == "park":
            return self.store.park(receipts)
        return self.store.dead_letter([Burial(receipt, Reason.FAILED) for receipt in receipts])


def store_machine(resource: Callable[[], AbstractContextManager[Opener]]) -> type[StoreMachine]:
    """Return the machine for one store.

    ``resource`` makes a context in which there is an empty store, and gives the function that opens a
    handle on it. Run it as ``TestModel = store_machine(resource).TestCase``.
    """
    return type("Machine", (StoreMachine,), {"resource": staticmethod(resource)})
