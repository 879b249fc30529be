"""Create, publish, size, purge, delete."""

from __future__ import annotations

from umbel.clock import ManualClock, Timestamp
from umbel.outcomes import Reason
from umbel.testing.contract.handles import Handles
from umbel.testing.contract.messages import message, messages, task_ids
from umbel.transports.base import Binding, Burial, QueueOptions, Store

__all__ = ["PublishingContract"]


class PublishingContract(Handles):
    """What goes in is there, once."""

    def test_publish_creates_the_queue(self, store: Store) -> None:
        assert not store.queue_exists("orders")
        assert list(store.publish("orders", messages("a"))) == [True]
        assert store.queue_exists("orders")

    def test_every_field_of_an_envelope_comes_back(self, store: Store, consumer: str) -> None:
        sent = message(
            "a",
            task="shop.ship",
            head=b'{"headers": {}}',
            body=bytes(range(256)),
            priority=7,
            visible_at=Timestamp(5.0),
            expires_at=Timestamp(1_900_000_000.5),
            group_key="tenant-1",
            dedup="a:0:0",
            replay=2,
            correlation_id="corr",
            signature=b"\x00\xff",
            key_id="k1",
        )
        store.publish("orders", [sent])
        assert store.claim("orders", consumer, 1).claims[0].envelope == sent

    def test_a_batch_of_nothing_changes_nothing(self, store: Store) -> None:
        assert list(store.publish("orders", [])) == []
        assert store.size("orders") == 0

    def test_size_counts_ready_and_delayed_messages(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.publish("orders", messages("a", "b", "c"))
        store.publish("orders", messages("d", visible_at=Timestamp(clock.now() + 60)))
        store.publish("orders", messages("e", group_key="tenant"))
        store.claim("orders", consumer, 1)
        assert store.size("orders") == 4
        assert store.size("unknown") == 0

    def test_a_repeat_of_a_dedup_key_is_dropped(self, store: Store) -> None:
        assert list(store.publish("orders", messages("a", dedup="a:1:0"))) == [True]
        again = [message("a", dedup="a:1:0"), message("b", dedup="b:0:0")]
        assert list(store.publish("orders", again)) == [False, True]
        assert store.size("orders") == 2

    def test_a_repeat_within_one_batch_is_dropped(self, store: Store) -> None:
        assert list(store.publish("orders", messages("a", "b", dedup="same"))) == [True, False]
        assert store.size("orders") == 1

    def test_a_repeat_is_dropped_after_its_first_was_settled(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", dedup="a:1:0"))
        store.ack([claim.receipt for claim in store.claim("orders", consumer, 1).claims])
        assert list(store.publish("orders", messages("a", dedup="a:1:0"))) == [False]

    def test_a_dedup_key_is_free_after_its_window(self, store: Store, clock: ManualClock) -> None:
        store.publish("orders", messages("a", dedup="a:1:0"))
        clock.advance(3_601)
        assert list(store.publish("orders", messages("a", dedup="a:1:0"))) == [True]

    def test_a_dedup_key_counts_in_its_own_queue(self, store: Store) -> None:
        store.publish("orders", messages("a", dedup="a:1:0"))
        assert list(store.publish("audit", messages("a", dedup="a:1:0"))) == [True]

    def test_messages_without_a_dedup_key_are_never_dropped(self, store: Store) -> None:
        assert list(store.publish("orders", messages("a", "a"))) == [True, True]

    def test_creating_again_changes_only_given_options(self, store: Store, clock: ManualClock) -> None:
        store.create("replies", QueueOptions(expires=60))
        store.publish("replies", messages("a"))
        store.create("replies")
        store.create("replies", QueueOptions(message_ttl=1_000))
        assert store.size("replies") == 1
        clock.advance(61)
        assert store.sweep() == 1

    def test_purge_removes_what_waits_and_nothing_else(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.publish("orders", messages("claimed", "parked", "dead"))
        claimed, parked, dead = store.claim("orders", consumer, 3).claims
        store.park([parked.receipt])
        self._bury(store, dead.receipt)
        store.publish("orders", messages("ready"))
        store.publish("orders", messages("grouped", group_key="tenant"))
        store.publish("orders", messages("delayed", visible_at=Timestamp(clock.now() + 60)))
        assert store.purge("orders") == 3
        stats = store.queues()[0]
        assert (stats.ready, stats.delayed, stats.claimed, stats.parked, stats.dead) == (0, 0, 1, 1, 1)
        assert not store.ack([claimed.receipt])

    def test_purging_an_unknown_queue_removes_nothing(self, store: Store) -> None:
        assert store.purge("unknown") == 0

    def test_delete_drops_waiting_messages_and_bindings(self, store: Store, consumer: str) -> None:
        store.bind(Binding("events", "order.*", "", "orders"))
        store.publish("orders", messages("a", "b", "c"))
        store.claim("orders", consumer, 1)
        assert store.delete("orders") == 2
        assert not store.queue_exists("orders")
        assert store.bindings("events") == []
        assert store.find("b") is None

    def test_deleting_an_unknown_queue_drops_nothing(self, store: Store) -> None:
        assert store.delete("unknown") == 0

    def test_a_claim_of_a_deleted_queue_settles_nothing(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a"))
        receipt = store.claim("orders", consumer, 1).claims[0].receipt
        store.delete("orders")
        store.publish("orders", messages("b"))
        assert list(store.ack([receipt])) == [receipt]
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["b"]

    def test_a_deleted_queue_forgets_its_dedup_keys(self, store: Store) -> None:
        store.publish("orders", messages("a", dedup="a:1:0"))
        store.delete("orders")
        assert list(store.publish("orders", messages("a", dedup="a:1:0"))) == [True]

    def test_dead_letters_outlive_their_queue(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a"))
        self._bury(store, store.claim("orders", consumer, 1).claims[0].receipt)
        store.delete("orders")
        letter = store.find("a")
        assert letter is not None
        assert (letter.queue, letter.state) == ("orders", "dead")

    @staticmethod
    def _bury(store: Store, receipt: str) -> None:
        store.dead_letter([Burial(receipt, Reason.FAILED)])
