"""Bindings, and the sweep of what has outlived its use."""

from __future__ import annotations

from umbel.clock import ManualClock
from umbel.testing.contract.handles import Handles
from umbel.testing.contract.messages import messages
from umbel.transports.base import Binding, QueueOptions, Store

__all__ = ["BindingContract"]


class BindingContract(Handles):
    """Exchanges know their queues; nothing transient stays for ever."""

    def test_bindings_are_kept_once(self, store: Store) -> None:
        first = Binding("events", "order.*", "^order", "a")
        second = Binding("events", "order.*", "^order", "b")
        for binding in (second, first, first, Binding("other", "", "", "a")):
            store.bind(binding)
        assert sorted(store.bindings("events"), key=lambda item: item.queue) == [first, second]
        assert store.bindings("unknown") == []

    def test_unbinding_removes_that_binding_alone(self, store: Store) -> None:
        first, second = Binding("events", "a", "", "q"), Binding("events", "b", "", "q")
        store.bind(first)
        store.bind(second)
        store.unbind(first)
        store.unbind(first)
        assert store.bindings("events") == [second]

    def test_a_queue_exists_from_its_creation_to_its_deletion(self, store: Store) -> None:
        assert not store.queue_exists("orders")
        store.create("orders")
        assert store.queue_exists("orders")
        store.delete("orders")
        assert not store.queue_exists("orders")

    def test_an_unused_queue_is_swept_after_its_time(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.create("replies", QueueOptions(expires=60))
        store.create("lasting")
        clock.advance(50)
        assert store.sweep() == 0
        store.claim("replies", consumer, 1)
        clock.advance(50)
        assert store.sweep() == 0
        store.create("replies")
        clock.advance(59)
        assert store.sweep() == 0
        clock.advance(1)
        assert store.sweep() == 1
        assert not store.queue_exists("replies")
        assert store.queue_exists("lasting")

    def test_a_queue_with_claims_out_is_in_use(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.create("replies", QueueOptions(expires=60))
        store.publish("replies", messages("a"))
        claim = store.claim("replies", consumer, 1).claims[0]
        clock.advance(1_000)
        assert store.sweep() == 0
        assert not store.ack([claim.receipt])
        assert store.sweep() == 1

    def test_queues_of_consumers_that_never_were_are_swept(self, store: Store, consumer: str) -> None:
        store.create("orphan", QueueOptions(owner="nobody"))
        store.create("kept", QueueOptions(owner=consumer))
        assert store.sweep() == 1
        assert store.queue_exists("kept")

    def test_a_queue_with_a_living_owner_does_not_expire(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.create("mailbox", QueueOptions(expires=10, owner=consumer))
        clock.advance(1_000)
        assert store.sweep() == 0
        store.retire(consumer)
        assert not store.queue_exists("mailbox")

    def test_the_sweep_removes_messages_that_waited_for_too_long(self, store: Store, clock: ManualClock) -> None:
        store.create("events", QueueOptions(message_ttl=5))
        store.publish("events", messages("a", "b"))
        clock.advance(6)
        store.publish("events", messages("c"))
        store.sweep()
        assert store.size("events") == 1

    def test_the_sweep_keeps_dedup_keys_within_their_window(self, store: Store, clock: ManualClock) -> None:
        store.publish("orders", messages("a", dedup="a:1:0"))
        clock.advance(3_599)
        store.sweep()
        assert list(store.publish("orders", messages("a", dedup="a:1:0"))) == [False]
