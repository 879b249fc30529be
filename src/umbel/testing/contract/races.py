"""The races of the contract, run with threads that start at one moment, round after round."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from umbel.outcomes import Reason
from umbel.testing.contract.handles import LEASE, Handles, OpenHandle
from umbel.testing.contract.messages import message, messages, task_ids
from umbel.transports.base import DeadLetterFilter, Store

__all__ = ["RaceContract"]

T = TypeVar("T")

_ROUNDS = 15
_PATIENCE = 60.0
"""Seconds; after that a deadlock is assumed."""


def _at_once(*actions: Callable[[], T]) -> list[T]:
    """Run the actions in threads that start together; return their results in order."""
    barrier = threading.Barrier(len(actions))
    results: dict[int, T] = {}
    problems: list[BaseException] = []

    def run(index: int, action: Callable[[], T]) -> None:
        barrier.wait()
        try:
            results[index] = action()
        except BaseException as problem:  # noqa: BLE001 - raised again below, in the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "deadlock"
    if problems:
        raise problems[0]
    return [results[index] for index in range(len(actions))]


def _ack_each(store: Store, receipts: list[str]) -> int:
    return sum(not store.ack([receipt]) for receipt in receipts)


def _claim(store: Store, queue: str, consumer: str) -> int:
    return len(store.claim(queue, consumer, 2).claims)


def _reap(store: Store, consumer: str) -> int:
    return len(store.reap(consumer, started=[]).released)


def _release(store: Store, receipt: str) -> int:
    return int(not store.release([receipt]))


class RaceContract(Handles):
    """Whoever comes second finds the work done."""

    def test_no_message_is_given_to_two_consumers(self, store: Store, open_handle: OpenHandle) -> None:
        names = [f"m{number}" for number in range(200)]
        store.publish("orders", messages(*names))

        def drain() -> list[str]:
            handle = open_handle()
            consumer = handle.register("s@here", lease=LEASE)
            taken: list[str] = []
            while claims := handle.claim("orders", consumer, 7).claims:
                taken += task_ids(claims)
            return taken

        taken = Counter(name for names in _at_once(drain, drain, drain, drain) for name in names)
        assert taken == Counter(names)

    def test_one_handle_serves_many_threads(self, store: Store, consumer: str) -> None:
        def work(prefix: str) -> int:
            settled = 0
            for number in range(20):
                store.publish("orders", messages(f"{prefix}{number}"))
                claims = store.claim("orders", consumer, 3).claims
                settled += len(claims) - len(store.ack([claim.receipt for claim in claims]))
            return settled

        settled = _at_once(lambda: work("a"), lambda: work("b"), lambda: work("c"))
        rest = store.claim("orders", consumer, 100).claims
        assert sum(settled) + len(rest) == 60

    def test_two_publishers_of_one_dedup_key_store_one_message(self, store: Store, open_handle: OpenHandle) -> None:
        handles = [open_handle(), open_handle(), open_handle()]
        for turn in range(_ROUNDS):
            envelope = message("a", dedup=f"a:{turn}:0")
            stored = _at_once(*(partial(handle.publish, "orders", [envelope]) for handle in handles))
            assert sorted(item[0] for item in stored) == [False, False, True]
        assert store.size("orders") == _ROUNDS

    def test_of_two_reapers_one_does_it(self, store: Store, open_handle: OpenHandle) -> None:
        reapers = [open_handle(), open_handle()]
        for turn in range(_ROUNDS):
            consumer = store.register("mortal", lease=LEASE)
            store.publish(f"q{turn}", messages("a", "b"))
            started = [store.claim(f"q{turn}", consumer, 2).claims[0].receipt]
            reaped = _at_once(*(partial(handle.reap, consumer, started=started) for handle in reapers))
            assert sorted(len(item.crashed) + len(item.released) for item in reaped) == [0, 2]

    def test_of_an_ack_and_a_reap_one_wins_each_message(self, store: Store, open_handle: OpenHandle) -> None:
        reaper = open_handle()
        for turn in range(_ROUNDS):
            queue = f"q{turn}"
            consumer = store.register("mortal", lease=LEASE)
            store.publish(queue, messages(*(f"{turn}-{number}" for number in range(20))))
            receipts = [claim.receipt for claim in store.claim(queue, consumer, 20).claims]

            acked, released = _at_once(partial(_ack_each, store, receipts), partial(_reap, reaper, consumer))
            assert acked + released == 20
            assert store.size(queue) == released

    def test_of_a_claim_and_a_reap_of_its_consumer_nothing_is_stranded(
        self, store: Store, open_handle: OpenHandle
    ) -> None:
        reaper = open_handle()
        for turn in range(_ROUNDS):
            queue = f"q{turn}"
            consumer = store.register("mortal", lease=LEASE)
            store.publish(queue, messages("a", "b"))
            claimed, released = _at_once(partial(_claim, store, queue, consumer), partial(_reap, reaper, consumer))
            assert claimed == released
            assert store.size(queue) == 2

    def test_a_letter_replayed_twice_at_once_is_published_once(self, store: Store, open_handle: OpenHandle) -> None:
        handles = [open_handle(), open_handle()]
        for turn in range(_ROUNDS):
            letter = store.bury("orders", message(f"a{turn}"), Reason.FAILED, {})
            done = _at_once(*(partial(handle.replay, [letter]) for handle in handles))
            assert sorted(len(item) for item in done) == [0, 1]
        assert store.size("orders") == _ROUNDS
        assert store.count_dead(DeadLetterFilter()) == 0

    def test_of_a_release_and_an_ack_one_wins(self, store: Store, consumer: str, open_handle: OpenHandle) -> None:
        other = open_handle()
        for turn in range(_ROUNDS):
            store.publish(f"q{turn}", messages("a"))
            receipt = store.claim(f"q{turn}", consumer, 1).claims[0].receipt
            acked, released = _at_once(partial(_ack_each, store, [receipt]), partial(_release, other, receipt))
            assert acked != released
            assert store.size(f"q{turn}") == released
