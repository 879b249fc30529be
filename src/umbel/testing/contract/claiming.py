"""Which messages a claim takes, and in which order."""

from __future__ import annotations

from umbel.clock import ManualClock, Timestamp
from umbel.message import LAYOUT
from umbel.testing.contract.handles import LEASE, Handles, OpenHandle
from umbel.testing.contract.messages import message, messages, task_ids
from umbel.transports.base import QueueOptions, Store

__all__ = ["ClaimingContract"]


class ClaimingContract(Handles):
    """By priority, then in the order of publishing; never twice; never too early."""

    def test_order_is_that_of_publishing(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", "b"))
        store.publish("orders", messages("c"))
        assert task_ids(store.claim("orders", consumer, 2).claims) == ["a", "b"]
        assert task_ids(store.claim("orders", consumer, 2).claims) == ["c"]

    def test_nine_is_the_most_urgent_priority(self, store: Store, consumer: str) -> None:
        for priority in (0, 9, 4, 9, 0):
            store.publish("orders", [message(f"p{priority}-{store.size('orders')}", priority=priority)])
        expected = ["p9-1", "p9-3", "p4-2", "p0-0", "p0-4"]
        assert task_ids(store.claim("orders", consumer, 9).claims) == expected

    def test_grouped_and_ungrouped_messages_keep_one_order(self, store: Store, consumer: str) -> None:
        store.publish("orders", [message("a", group_key="t1"), message("b"), message("c", group_key="t2")])
        store.publish("orders", [message("d"), message("e", group_key="t1", priority=5)])
        assert task_ids(store.claim("orders", consumer, 3).claims) == ["e", "a", "b"]
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["c", "d"]

    def test_the_limit_bounds_the_claim(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", "b", "c"))
        assert len(store.claim("orders", consumer, 2).claims) == 2
        assert store.claim("orders", consumer, 0).claims in ([], ())

    def test_a_claimed_message_is_not_claimed_again(self, store: Store, consumer: str, open_handle: OpenHandle) -> None:
        other = open_handle()
        second = other.register("worker@there", lease=LEASE)
        store.publish("orders", messages("a"))
        assert len(store.claim("orders", consumer, 5).claims) == 1
        assert not other.claim("orders", second, 5).claims

    def test_a_first_delivery_is_not_marked_redelivered(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a"))
        claim = store.claim("orders", consumer, 1).claims[0]
        assert (claim.queue, claim.redelivered, claim.deliveries) == ("orders", False, 1)
        assert (claim.crashes, claim.suspect, claim.verdict) == (0, False, None)

    def test_receipts_are_short_and_plain(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", "b"))
        receipts = [claim.receipt for claim in store.claim("orders", consumer, 2).claims]
        assert len(set(receipts)) == 2
        assert all(receipt.isascii() and 0 < len(receipt) <= 100 for receipt in receipts)

    def test_a_delayed_message_waits_until_it_is_due(self, store: Store, consumer: str, clock: ManualClock) -> None:
        due = Timestamp(clock.now() + 60)
        store.publish("orders", messages("later", visible_at=due))
        batch = store.claim("orders", consumer, 5)
        assert (list(batch.claims), batch.next_due) == ([], due)
        clock.advance(59.5)
        assert not store.claim("orders", consumer, 5).claims
        clock.advance(0.5)
        assert task_ids(store.claim("orders", consumer, 5).claims) == ["later"]

    def test_next_due_is_the_earliest_that_still_waits(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.publish("orders", messages("b", visible_at=Timestamp(clock.now() + 20)))
        store.publish("orders", messages("a", visible_at=Timestamp(clock.now() + 10)))
        store.publish("orders", messages("now"))
        clock.advance(10)
        batch = store.claim("orders", consumer, 5)
        assert task_ids(batch.claims) == ["a", "now"]
        assert batch.next_due == clock.now() + 10
        clock.advance(10)
        assert store.claim("orders", consumer, 5).next_due is None

    def test_a_due_message_keeps_its_priority(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.publish("orders", messages("plain"))
        store.publish("orders", messages("urgent", priority=9, visible_at=Timestamp(clock.now() + 5)))
        clock.advance(5)
        assert task_ids(store.claim("orders", consumer, 1).claims) == ["urgent"]

    def test_blocked_groups_are_skipped(self, store: Store, consumer: str) -> None:
        store.publish("orders", [message("a1", group_key="a"), message("b1", group_key="b"), message("free")])
        store.publish("orders", [message("a2", group_key="a"), message("c1", group_key="c")])
        assert task_ids(store.claim("orders", consumer, 9, skip_groups={"a", "c"}).claims) == ["b1", "free"]
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["a1", "a2", "c1"]

    def test_a_long_line_of_blocked_groups_hides_nothing(self, store: Store, consumer: str) -> None:
        store.publish("orders", [message(group_key="blocked") for _ in range(1_200)])
        store.publish("orders", [message("x1", group_key="x"), message("y1", group_key="y", priority=3)])
        store.publish("orders", [message("x2", group_key="x")])
        skip = {"blocked", "never-seen"}
        assert task_ids(store.claim("orders", consumer, 2, skip_groups=skip).claims) == ["y1", "x1"]
        assert task_ids(store.claim("orders", consumer, 2, skip_groups=skip).claims) == ["x2"]
        assert not store.claim("orders", consumer, 2, skip_groups=skip).claims
        assert store.size("orders") == 1_200

    def test_a_paused_queue_gives_nothing(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a"))
        store.pause("orders")
        assert not store.claim("orders", consumer, 5).claims
        store.resume("orders")
        assert task_ids(store.claim("orders", consumer, 5).claims) == ["a"]

    def test_an_unknown_queue_gives_nothing(self, store: Store, consumer: str) -> None:
        batch = store.claim("unknown", consumer, 5)
        assert (list(batch.claims), batch.next_due) == ([], None)
        assert not store.queue_exists("unknown")

    def test_an_unregistered_consumer_gets_nothing(self, store: Store) -> None:
        # What it took, no reap would ever find.
        store.publish("orders", messages("a"))
        assert not store.claim("orders", "nobody", 5).claims
        assert store.size("orders") == 1

    def test_a_layout_of_a_newer_version_is_left_alone(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.publish("orders", [message("new", layout=LAYOUT + 1), message("old")])
        later = Timestamp(clock.now() + 5)
        store.publish("orders", [message("new-later", layout=LAYOUT + 1, visible_at=later, group_key="g")])
        clock.advance(6)
        assert task_ids(store.claim("orders", consumer, 5).claims) == ["old"]
        assert not store.claim("orders", consumer, 5).claims
        found = store.find("new")
        assert found is not None
        assert (found.state, found.envelope.layout) == ("ready", LAYOUT + 1)
        assert store.size("orders") == 2

    def test_a_message_that_outlived_the_queues_limit_is_not_given(
        self, store: Store, consumer: str, clock: ManualClock
    ) -> None:
        store.create("events", QueueOptions(message_ttl=5))
        store.publish("events", [message("old"), message("old-grouped", group_key="g")])
        clock.advance(4)
        store.publish("events", messages("young"))
        clock.advance(2)
        assert task_ids(store.claim("events", consumer, 5).claims) == ["young"]
        assert store.size("events") == 0
