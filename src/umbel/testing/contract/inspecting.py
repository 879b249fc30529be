"""What operators see, cancel, pause and resume."""

from __future__ import annotations

import pytest

from umbel.clock import ManualClock, Timestamp
from umbel.errors import QueueNotFoundError
from umbel.outcomes import Reason
from umbel.testing.contract.handles import Handles, OpenHandle
from umbel.testing.contract.messages import message, messages, task_ids
from umbel.transports.base import Burial, QueueOptions, Store

__all__ = ["InspectingContract"]


class InspectingContract(Handles):
    """Counts add up, and a message is found wherever it is."""

    def _one_of_each(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.publish("orders", messages("claimed", "parked", "dead"))
        _, parked, dead = store.claim("orders", consumer, 3).claims
        store.park([parked.receipt])
        store.dead_letter([Burial(dead.receipt, Reason.FAILED)])
        store.publish("orders", messages("ready"))
        store.publish("orders", messages("delayed", visible_at=Timestamp(clock.now() + 60)))

    def test_counts_by_state(self, store: Store, consumer: str, clock: ManualClock) -> None:
        self._one_of_each(store, consumer, clock)
        stats = store.queues()[0]
        assert stats.queue == "orders"
        assert (stats.ready, stats.delayed, stats.claimed, stats.parked, stats.dead) == (1, 1, 1, 1, 1)

    def test_queues_are_listed_by_name_and_owned_ones_left_out(self, store: Store, consumer: str) -> None:
        for name in ("b", "a"):
            store.create(name)
        store.create("replies", QueueOptions(owner=consumer))
        assert [stats.queue for stats in store.queues()] == ["a", "b"]
        assert store.queues()[0].oldest_ready is None

    def test_the_oldest_ready_message_is_timed(self, store: Store, clock: ManualClock) -> None:
        first = clock.now()
        store.publish("orders", messages("a", group_key="tenant"))
        clock.advance(10)
        store.publish("orders", messages("b", priority=9))
        assert store.queues()[0].oldest_ready == first

    def test_a_message_that_is_due_counts_as_ready(self, store: Store, clock: ManualClock) -> None:
        due = Timestamp(clock.now() + 5)
        store.publish("orders", messages("a", visible_at=due))
        clock.advance(10)
        stats = store.queues()[0]
        assert (stats.ready, stats.delayed, stats.oldest_ready) == (1, 0, due)
        found = store.find("a")
        assert found is not None
        assert found.state == "ready"

    @pytest.mark.parametrize("state", ["ready", "delayed", "claimed", "parked", "dead"])
    def test_a_message_is_found_in_every_state(
        self, store: Store, consumer: str, clock: ManualClock, state: str
    ) -> None:
        self._one_of_each(store, consumer, clock)
        found = store.find(state)
        assert found is not None
        assert (found.queue, found.state, found.envelope.task_id) == ("orders", state, state)
        assert found.owner == (consumer if state == "claimed" else None)

    def test_what_a_consumer_holds_is_listed(self, store: Store, consumer: str, clock: ManualClock) -> None:
        self._one_of_each(store, consumer, clock)
        assert [(found.envelope.task_id, found.state, found.owner) for found in store.held(consumer)] == [
            ("claimed", "claimed", consumer)
        ]
        assert list(store.held("nobody")) == []

    def test_an_unknown_message_is_not_found(self, store: Store) -> None:
        assert store.find("nowhere") is None

    def test_the_newest_of_several_with_one_id_is_found(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.publish("orders", messages("a"))
        store.claim("orders", consumer, 1)
        store.publish("orders", messages("a", visible_at=Timestamp(clock.now() + 60)))
        found = store.find("a")
        assert found is not None
        assert found.state == "delayed"

    @pytest.mark.parametrize("state", ["ready", "delayed", "parked"])
    def test_a_message_that_waits_can_be_cancelled(
        self, store: Store, consumer: str, clock: ManualClock, state: str
    ) -> None:
        self._one_of_each(store, consumer, clock)
        assert store.cancel(state)
        assert store.find(state) is None
        assert not store.cancel(state)

    @pytest.mark.parametrize("state", ["claimed", "dead", "unknown"])
    def test_what_does_not_wait_is_not_cancelled(
        self, store: Store, consumer: str, clock: ManualClock, state: str
    ) -> None:
        self._one_of_each(store, consumer, clock)
        before = store.find(state)
        assert not store.cancel(state)
        assert store.find(state) == before

    def test_a_pause_holds_in_every_handle_and_counts_are_kept(
        self, store: Store, consumer: str, open_handle: OpenHandle
    ) -> None:
        store.publish("orders", messages("a"))
        open_handle().pause("orders")
        assert store.queues()[0].paused
        assert not store.claim("orders", consumer, 1).claims
        store.publish("orders", [message("b")])
        open_handle().resume("orders")
        assert not store.queues()[0].paused
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["a", "b"]

    def test_an_unknown_queue_cannot_be_paused_or_resumed(self, store: Store) -> None:
        with pytest.raises(QueueNotFoundError, match="no queue named 'unknown'"):
            store.pause("unknown")
        with pytest.raises(QueueNotFoundError, match="no queue named 'unknown'"):
            store.resume("unknown")
