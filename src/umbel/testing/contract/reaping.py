"""What a death costs, and whom."""

from __future__ import annotations

import pytest

from umbel.outcomes import Verdict
from umbel.testing.contract.handles import LEASE, Handles, OpenHandle
from umbel.testing.contract.messages import messages, task_ids
from umbel.transports.base import Claim, Store

__all__ = ["ReapingContract"]


class ReapingContract(Handles):
    """Everything comes back; only who was alone is blamed."""

    def _claim(self, store: Store, count: int = 9) -> tuple[str, list[Claim]]:
        consumer = store.register("mortal@here", lease=LEASE)
        return consumer, list(store.claim("orders", consumer, count).claims)

    def test_everything_held_comes_back_in_its_old_place(self, store: Store) -> None:
        store.publish("orders", messages("a", "b", "c"))
        consumer, claims = self._claim(store, 2)
        reaped = store.reap(consumer, started=[])
        assert sorted(reaped.released) == ["a", "b"]
        assert (list(reaped.suspects), list(reaped.crashed), dict(reaped.verdicts)) == ([], [], {})
        _, again = self._claim(store)
        assert task_ids(again) == ["a", "b", "c"]
        assert [claim.redelivered for claim in again] == [True, True, False]
        assert list(store.ack([claims[0].receipt])) == [claims[0].receipt]

    def test_the_consumer_is_forgotten(self, store: Store) -> None:
        consumer, _ = self._claim(store)
        store.reap(consumer, started=[])
        assert store.consumers() == []

    def test_a_second_reap_finds_nothing(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        consumer, claims = self._claim(store)
        store.reap(consumer, started=[claims[0].receipt])
        again = store.reap(consumer, started=[claims[0].receipt])
        assert [*again.released, *again.suspects, *again.crashed, *again.verdicts] == []
        assert self._claim(store)[1][0].crashes == 1

    def test_one_that_ran_alone_counts_a_crash(self, store: Store) -> None:
        store.publish("orders", messages("a", "b"))
        consumer, claims = self._claim(store)
        reaped = store.reap(consumer, started=[claims[1].receipt])
        assert (list(reaped.released), list(reaped.crashed)) == (["a"], ["b"])
        first, second = self._claim(store)[1]
        assert (first.crashes, first.suspect) == (0, False)
        assert (second.crashes, second.suspect) == (1, True)

    def test_several_that_ran_are_suspects_and_none_is_charged(self, store: Store) -> None:
        store.publish("orders", messages("a", "b", "c"))
        consumer, claims = self._claim(store)
        reaped = store.reap(consumer, started=[claim.receipt for claim in claims[:2]])
        assert (sorted(reaped.suspects), list(reaped.released)) == (["a", "b"], ["c"])
        again = self._claim(store)[1]
        assert [claim.suspect for claim in again] == [True, True, False]
        assert [claim.crashes for claim in again] == [0, 0, 0]

    def test_a_death_of_unknown_circumstances_makes_suspects(self, store: Store) -> None:
        store.publish("orders", messages("a", "b"))
        consumer, claims = self._claim(store)
        assert store.isolate(claims[1].receipt)
        reaped = store.reap(consumer, started=None)
        assert (list(reaped.suspects), list(reaped.crashed)) == (["a"], ["b"])

    def test_an_empty_collection_blames_nobody(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        consumer, claims = self._claim(store)
        store.isolate(claims[0].receipt)
        reaped = store.reap(consumer, started=())
        assert list(reaped.released) == ["a"]
        again = self._claim(store)[1][0]
        assert (again.crashes, again.suspect) == (0, False)

    def test_isolation_ends_with_its_claim(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        consumer, claims = self._claim(store)
        store.isolate(claims[0].receipt)
        store.release([claims[0].receipt])
        store.claim("orders", consumer, 1)
        assert list(store.reap(consumer, started=None).suspects) == ["a"]

    def test_a_suspect_stays_one_through_a_plain_release(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        consumer, _ = self._claim(store)
        store.reap(consumer, started=None)
        _, claims = self._claim(store)
        store.release([claims[0].receipt])
        assert self._claim(store)[1][0].suspect

    def test_crashes_up_to_the_limit_are_poison(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        for crashes in (1, 2):
            consumer, claims = self._claim(store)
            store.isolate(claims[0].receipt)
            reaped = store.reap(consumer, started=[claims[0].receipt], crash_limit=3)
            assert list(reaped.crashed) == ["a"]
            assert reaped.verdicts == {}
            assert self._peek(store).crashes == crashes
        consumer, claims = self._claim(store)
        reaped = store.reap(consumer, started=[claims[0].receipt], crash_limit=3)
        assert dict(reaped.verdicts) == {"a": Verdict.POISON}
        claim = self._peek(store)
        assert (claim.verdict, claim.crashes) == (Verdict.POISON, 3)

    def test_a_verdict_is_set_as_given(self, store: Store) -> None:
        store.publish("orders", messages("a", "b"))
        consumer, claims = self._claim(store)
        verdicts = {claims[0].receipt: Verdict.TIME_LIMIT}
        reaped = store.reap(consumer, started=[claims[0].receipt], verdicts=verdicts)
        assert dict(reaped.verdicts) == {"a": Verdict.TIME_LIMIT}
        first, second = self._claim(store)[1]
        assert (first.verdict, first.crashes, second.verdict) == (Verdict.TIME_LIMIT, 0, None)

    def test_a_verdict_stays_until_it_is_recorded(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        consumer, claims = self._claim(store)
        store.reap(consumer, started=[], verdicts={claims[0].receipt: Verdict.MEMORY_LIMIT})
        consumer, claims = self._claim(store)
        assert list(store.reap(consumer, started=None).released) == ["a"]
        assert self._peek(store).verdict is Verdict.MEMORY_LIMIT

    def test_reaping_the_unknown_does_nothing(self, store: Store) -> None:
        assert not store.reap("nobody", started=None).released

    def test_a_fenced_claim_cannot_be_isolated(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        consumer, claims = self._claim(store)
        store.reap(consumer, started=[])
        assert not store.isolate(claims[0].receipt)
        assert not store.isolate("nonsense")

    def test_the_death_of_one_body_gives_back_one_claim(self, store: Store) -> None:
        store.publish("orders", messages("a", "b"))
        consumer, claims = self._claim(store)
        reaped = store.crash(claims[0].receipt)
        assert list(reaped.crashed) == ["a"]
        assert [info.claims for info in store.consumers()] == [1]
        again = store.claim("orders", consumer, 1).claims[0]
        assert (again.envelope.task_id, again.crashes, again.suspect) == ("a", 1, True)
        assert not store.ack([claims[1].receipt])

    def test_the_last_allowed_crash_is_poison(self, store: Store) -> None:
        store.publish("orders", messages("a"))
        _, claims = self._claim(store)
        assert dict(store.crash(claims[0].receipt, crash_limit=1).verdicts) == {"a": Verdict.POISON}

    @pytest.mark.parametrize("receipt", ["nonsense", "1.1"])
    def test_a_fenced_crash_does_nothing(self, store: Store, receipt: str) -> None:
        store.publish("orders", messages("a"))
        reaped = store.crash(receipt)
        assert [*reaped.crashed, *reaped.verdicts, *reaped.released] == []

    def test_claims_of_other_consumers_are_untouched(self, store: Store, open_handle: OpenHandle) -> None:
        store.publish("orders", messages("a", "b"))
        mortal, _ = self._claim(store, 1)
        other = open_handle()
        survivor = other.register("s2@here", lease=LEASE)
        kept = other.claim("orders", survivor, 1).claims[0].receipt
        assert list(store.reap(mortal, started=None).suspects) == ["a"]
        assert not other.ack([kept])

    def _peek(self, store: Store) -> Claim:
        """Claim the one message, look at it, and give it back without blame."""
        consumer, claims = self._claim(store)
        store.retire(consumer)
        return claims[0]
