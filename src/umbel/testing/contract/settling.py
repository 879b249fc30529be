"""Ack, release, dead letter, park: only the owner of the claim settles it."""

from __future__ import annotations

import pytest

from umbel.clock import ManualClock, Timestamp
from umbel.outcomes import Reason
from umbel.testing.contract.handles import LEASE, Handles, OpenHandle
from umbel.testing.contract.messages import message, messages, task_ids
from umbel.transports.base import Burial, Claim, Store

__all__ = ["SettlingContract"]

_WAYS = ("ack", "release", "dead_letter", "park")


def _settle(store: Store, way: str, receipt: str) -> list[str]:
    if way == "dead_letter":
        return list(store.dead_letter([Burial(receipt, Reason.FAILED)]))
    return list(getattr(store, way)([receipt]))


class SettlingContract(Handles):
    """A claim is settled once, by its owner."""

    def _one(self, store: Store, consumer: str) -> Claim:
        store.publish("orders", messages("a"))
        return store.claim("orders", consumer, 1).claims[0]

    def test_an_acked_message_is_gone(self, store: Store, consumer: str) -> None:
        claim = self._one(store, consumer)
        assert not store.ack([claim.receipt])
        assert store.find("a") is None
        assert store.queues()[0].claimed == 0

    @pytest.mark.parametrize("way", _WAYS)
    def test_settling_nothing_is_harmless(self, store: Store, way: str) -> None:
        assert not getattr(store, way)([])

    @pytest.mark.parametrize("first", _WAYS)
    @pytest.mark.parametrize("second", _WAYS)
    def test_a_claim_is_settled_once(self, store: Store, consumer: str, first: str, second: str) -> None:
        receipt = self._one(store, consumer).receipt
        assert _settle(store, first, receipt) == []
        state = store.find("a")
        assert _settle(store, second, receipt) == [receipt]
        assert store.find("a") == state

    @pytest.mark.parametrize("way", _WAYS)
    def test_late_settlement_cannot_touch_a_new_claim(
        self, store: Store, consumer: str, open_handle: OpenHandle, way: str
    ) -> None:
        late = self._one(store, consumer).receipt
        store.reap(consumer, started=[])
        other = open_handle()
        successor = other.register("worker@there", lease=LEASE)
        new = other.claim("orders", successor, 1).claims[0].receipt
        assert new != late
        assert _settle(store, way, late) == [late]
        found = store.find("a")
        assert found is not None
        assert (found.state, found.owner) == ("claimed", successor)
        assert not other.ack([new])

    @pytest.mark.parametrize("way", _WAYS)
    def test_late_settlement_cannot_touch_a_new_claim_of_the_same_consumer(
        self, store: Store, consumer: str, way: str
    ) -> None:
        late = self._one(store, consumer).receipt
        store.release([late])
        new = store.claim("orders", consumer, 1).claims[0].receipt
        assert _settle(store, way, late) == [late]
        assert not store.ack([new])

    @pytest.mark.parametrize("way", _WAYS)
    @pytest.mark.parametrize("receipt", ["", "0.0", "1", "nonsense", "9" * 99, "1.2.3", "é.1"])
    def test_a_foreign_receipt_settles_nothing(self, store: Store, consumer: str, way: str, receipt: str) -> None:
        claim = self._one(store, consumer)
        assert _settle(store, way, receipt) == [receipt]
        assert not store.ack([claim.receipt])

    def test_a_receipt_never_names_a_later_message(self, store: Store, consumer: str) -> None:
        old = self._one(store, consumer).receipt
        store.ack([old])
        store.publish("orders", messages("b"))
        new = store.claim("orders", consumer, 1).claims[0].receipt
        assert list(store.ack([old])) == [old]
        assert not store.ack([new])

    def test_a_batch_names_exactly_its_fenced_receipts(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", "b", "c"))
        first, second, third = (claim.receipt for claim in store.claim("orders", consumer, 3).claims)
        store.ack([second])
        assert list(store.ack([first, second, "nonsense", third])) == [second, "nonsense"]
        assert store.queues()[0].claimed == 0
        assert all(store.find(name) is None for name in "abc")

    def test_a_fenced_ack_leaves_the_reclaimed_message_whole(self, store: Store, consumer: str) -> None:
        late = self._one(store, consumer)
        store.release([late.receipt])
        store.ack([late.receipt])
        again = store.claim("orders", consumer, 1).claims[0]
        assert again.envelope == late.envelope

    @pytest.mark.parametrize("way", _WAYS)
    def test_an_old_and_a_new_receipt_of_one_message_in_one_batch(self, store: Store, consumer: str, way: str) -> None:
        old = self._one(store, consumer).receipt
        store.release([old])
        new = store.claim("orders", consumer, 1).claims[0].receipt
        both = [Burial(item, Reason.FAILED) for item in (old, new)] if way == "dead_letter" else [old, new]
        assert list(getattr(store, way)(both)) == [old]

    def test_acking_twice_in_one_batch_is_acking_once(self, store: Store, consumer: str) -> None:
        receipt = self._one(store, consumer).receipt
        assert not store.ack([receipt, receipt])

    def test_a_released_message_returns_to_its_old_place(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", "b", "c"))
        first, second = (claim.receipt for claim in store.claim("orders", consumer, 2).claims)
        store.publish("orders", messages("d"))
        assert not store.release([second, first])
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["a", "b", "c", "d"]

    def test_a_released_message_is_marked_redelivered_and_not_blamed(self, store: Store, consumer: str) -> None:
        store.release([self._one(store, consumer).receipt])
        claim = store.claim("orders", consumer, 1).claims[0]
        assert (claim.redelivered, claim.deliveries, claim.crashes, claim.suspect) == (True, 2, 0, False)

    def test_a_message_can_be_released_until_a_time(self, store: Store, consumer: str, clock: ManualClock) -> None:
        until = Timestamp(clock.now() + 30)
        store.release([self._one(store, consumer).receipt], visible_at=until)
        found = store.find("a")
        assert found is not None
        assert found.state == "delayed"
        assert store.claim("orders", consumer, 1).next_due == until
        clock.advance(30)
        assert task_ids(store.claim("orders", consumer, 1).claims) == ["a"]

    def test_a_release_until_the_past_is_a_release(self, store: Store, consumer: str, clock: ManualClock) -> None:
        store.release([self._one(store, consumer).receipt], visible_at=Timestamp(clock.now() - 1))
        assert task_ids(store.claim("orders", consumer, 1).claims) == ["a"]

    def test_a_release_keeps_the_group(self, store: Store, consumer: str) -> None:
        store.publish("orders", [message("a", group_key="tenant")])
        store.release([store.claim("orders", consumer, 1).claims[0].receipt])
        assert not store.claim("orders", consumer, 1, skip_groups={"tenant"}).claims
        assert len(store.claim("orders", consumer, 1).claims) == 1

    def test_parked_messages_wait_for_a_worker_that_knows_them(self, store: Store, consumer: str) -> None:
        store.publish("orders", [message("a", task="new.one"), message("b", task="new.two"), message("c")])
        first, second, third = (claim.receipt for claim in store.claim("orders", consumer, 3).claims)
        assert not store.park([first, second])
        store.release([third])
        assert store.queues()[0].parked == 2
        assert store.unpark("orders", ["new.one", "shop.charge"]) == 1
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["a", "c"]
        assert store.unpark("elsewhere", ["new.two"]) == 0
        assert store.unpark("orders", []) == 0
        assert store.unpark("orders", ["new.two"]) == 1
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["b"]
