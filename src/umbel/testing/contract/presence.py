"""Who is alive, and for how long others believe it."""

from __future__ import annotations

import os

from umbel.clock import ManualClock
from umbel.testing.contract.handles import LEASE, Handles, OpenHandle
from umbel.testing.contract.messages import messages, task_ids
from umbel.transports.base import QueueOptions, Store

__all__ = ["PresenceContract"]


class PresenceContract(Handles):
    """A consumer lives with its process here, and by its lease elsewhere."""

    def test_a_registered_consumer_is_listed(self, store: Store, clock: ManualClock) -> None:
        consumer = store.register("s1@here", lease=LEASE, run_table="/run/table")
        store.publish("orders", messages("a", "b"))
        store.claim("orders", consumer, 2)
        info = store.consumers()[0]
        assert (info.id, info.name, info.pid) == (consumer, "s1@here", os.getpid())
        assert (info.started_at, info.lease_until) == (clock.now(), clock.now() + LEASE)
        assert (info.run_table, info.claims) == ("/run/table", 2)

    def test_ids_are_unique_short_and_plain(self, store: Store) -> None:
        ids = {store.register("same@name", lease=LEASE) for _ in range(5)}
        assert len(ids) == 5
        assert all(name.isascii() and 0 < len(name) <= 100 for name in ids)

    def test_a_living_process_outlives_its_lease_on_its_own_host(
        self, store: Store, consumer: str, clock: ManualClock, open_handle: OpenHandle
    ) -> None:
        clock.advance(LEASE * 100)
        assert store.dead() == []
        assert open_handle().dead() == []
        assert [info.id for info in store.consumers()] == [consumer]

    def test_a_consumer_dies_with_its_handle(self, store: Store, open_handle: OpenHandle) -> None:
        mortal = open_handle()
        consumer = mortal.register("s1@here", lease=LEASE)
        survivor = store.register("s2@here", lease=LEASE)
        mortal.close()
        assert [info.id for info in store.dead()] == [consumer]
        assert {info.id for info in store.consumers()} == {consumer, survivor}

    def test_on_another_host_the_lease_decides(self, store: Store, clock: ManualClock, open_handle: OpenHandle) -> None:
        far = open_handle("another-host")
        consumer = far.register("s1@far", lease=LEASE)
        clock.advance(LEASE - 1)
        assert store.dead() == []
        assert store.renew([consumer], lease=LEASE) in ([], ())
        clock.advance(LEASE - 1)
        assert store.dead() == []
        clock.advance(1)
        assert [info.id for info in store.dead()] == [consumer]
        assert far.dead() == []

    def test_renewing_names_the_consumers_that_were_declared_dead(self, store: Store, consumer: str) -> None:
        store.reap(consumer, started=[])
        living = store.register("s2@here", lease=LEASE)
        assert list(store.renew([living, consumer, "nobody"], lease=LEASE)) == [consumer, "nobody"]

    def test_a_consumer_declared_dead_claims_nothing_more(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a"))
        store.reap(consumer, started=[])
        assert not store.claim("orders", consumer, 5).claims

    def test_retiring_gives_back_without_blame(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", "b"))
        late = store.claim("orders", consumer, 2).claims[0].receipt
        store.isolate(late)
        store.retire(consumer)
        assert store.consumers() == []
        successor = store.register("s2@here", lease=LEASE)
        claims = store.claim("orders", successor, 5).claims
        assert task_ids(claims) == ["a", "b"]
        assert not any(claim.crashes or claim.suspect for claim in claims)
        assert list(store.ack([late])) == [late]

    def test_retiring_twice_is_harmless(self, store: Store, consumer: str) -> None:
        store.retire(consumer)
        store.retire(consumer)
        store.retire("nobody")

    def test_the_queues_of_a_consumer_go_with_it(self, store: Store, consumer: str) -> None:
        store.create("replies", QueueOptions(owner=consumer))
        store.publish("replies", messages("a"))
        assert store.queues() == []
        store.retire(consumer)
        assert not store.queue_exists("replies")

    def test_closing_twice_is_harmless(self, open_handle: OpenHandle) -> None:
        store = open_handle()
        store.register("s1@here", lease=LEASE)
        store.close()
        store.close()
