"""Dead letters: moved atomically, listed, replayed once, bounded."""

from __future__ import annotations

import pytest

from umbel.clock import ManualClock, Timestamp
from umbel.message import HEADER_REPLAY, LAYOUT
from umbel.outcomes import Reason
from umbel.testing.contract.handles import Handles
from umbel.testing.contract.messages import message, messages, task_ids
from umbel.transports.base import Burial, DeadLetterFilter, Store

__all__ = ["BuryingContract"]

ALL = DeadLetterFilter()
ERROR = {"error_code": "CARD_DECLINED", "message": "no funds", "retryable": False, "details": {"n": 1}, "hint": ""}


class BuryingContract(Handles):
    """A dead letter is the message, with its failure."""

    def test_a_dead_letter_keeps_the_message_and_the_failure(
        self, store: Store, consumer: str, clock: ManualClock
    ) -> None:
        sent = message("a", priority=4, group_key="tenant", signature=b"\x01")
        store.publish("orders", [sent])
        receipt = store.claim("orders", consumer, 1).claims[0].receipt
        assert not store.dead_letter([Burial(receipt, Reason.EXHAUSTED, ERROR)])
        letter = store.list_dead(ALL)[0]
        assert (letter.queue, letter.envelope, letter.reason) == ("orders", sent, Reason.EXHAUSTED)
        assert dict(letter.error) == ERROR
        assert (letter.died_at, letter.deliveries, letter.crashes) == (clock.now(), 1, 0)
        assert store.size("orders") == 0
        assert store.queues()[0].dead == 1

    def test_a_batch_names_exactly_its_fenced_burials(self, store: Store, consumer: str) -> None:
        store.publish("orders", messages("a", "b"))
        first, second = (claim.receipt for claim in store.claim("orders", consumer, 2).claims)
        store.ack([first])
        burials = [Burial(receipt, Reason.FAILED) for receipt in (first, second, "nonsense")]
        assert sorted(store.dead_letter(burials)) == sorted([first, "nonsense"])
        assert [letter.envelope.task_id for letter in store.list_dead(ALL)] == ["b"]

    def test_a_message_that_was_acked_early_can_be_buried(self, store: Store) -> None:
        letter = store.bury("orders", message("a"), Reason.UNDECODABLE, ERROR)
        found = store.list_dead(DeadLetterFilter(ids=[letter]))
        assert [(item.id, item.queue, item.reason) for item in found] == [(letter, "orders", Reason.UNDECODABLE)]

    def test_an_error_that_is_not_json_ready_is_stored_as_text(self, store: Store) -> None:
        store.bury("orders", message("a"), Reason.FAILED, {"error_code": "X", "details": {"when": Reason}})
        assert isinstance(store.list_dead(ALL)[0].error["details"]["when"], str)

    @pytest.mark.parametrize("head", [b"\xff not json", b"[]", b"{}", b""])
    def test_an_undecodable_message_is_buried_and_replayed_as_it_is(
        self, store: Store, consumer: str, head: bytes
    ) -> None:
        store.publish("orders", [message("a", head=head, body=b"\x80\x81")])
        receipt = store.claim("orders", consumer, 1).claims[0].receipt
        store.dead_letter([Burial(receipt, Reason.UNDECODABLE)])
        letter = store.list_dead(ALL)[0]
        assert dict(store.replay([letter.id])) == {letter.id: "a"}
        envelope = store.claim("orders", consumer, 1).claims[0].envelope
        assert (envelope.head, envelope.body, envelope.replay) == (head, b"\x80\x81", 1)

    def test_the_newest_comes_first_and_the_limit_bounds(self, store: Store, clock: ManualClock) -> None:
        for name in "abc":
            store.bury("orders", message(name), Reason.FAILED, {})
            clock.advance(1)
        names = [letter.envelope.task_id for letter in store.list_dead(DeadLetterFilter(limit=2))]
        assert names == ["c", "b"]
        assert store.count_dead(DeadLetterFilter(limit=2)) == 3

    def test_every_field_of_the_filter_must_match(self, store: Store, clock: ManualClock) -> None:
        first = store.bury("orders", message("a", task="shop.ship"), Reason.POISON, {"error_code": "TASK_POISON"})
        clock.advance(10)
        store.bury("mails", message("b"), Reason.FAILED, ERROR)
        start = Timestamp(clock.now() - 10)
        matching = (
            DeadLetterFilter(ids=[first, "no-such-letter"]),
            DeadLetterFilter(queue="orders"),
            DeadLetterFilter(task="shop.ship"),
            DeadLetterFilter(task_id="a"),
            DeadLetterFilter(reason=Reason.POISON),
            DeadLetterFilter(error_code="TASK_POISON"),
            DeadLetterFilter(before=Timestamp(start + 5)),
            DeadLetterFilter(after=start, before=clock.now(), queue="orders"),
        )
        for where in matching:
            assert [letter.id for letter in store.list_dead(where)] == [first], where
            assert store.count_dead(where) == 1, where
        assert store.count_dead(DeadLetterFilter(queue="orders", task_id="b")) == 0
        assert store.count_dead(DeadLetterFilter(ids=[])) == 0
        assert store.count_dead(DeadLetterFilter(after=clock.now())) == 1

    def test_a_replay_starts_afresh(self, store: Store, consumer: str, clock: ManualClock) -> None:
        sent = message("a", visible_at=Timestamp(1.0), expires_at=clock.now(), dedup="a:2:0", group_key="tenant")
        store.publish("orders", [sent])
        receipt = store.claim("orders", consumer, 1).claims[0].receipt
        store.crash(receipt)
        receipt = store.claim("orders", consumer, 1).claims[0].receipt
        store.dead_letter([Burial(receipt, Reason.POISON)])
        letter = store.list_dead(ALL)[0]
        assert (letter.deliveries, letter.crashes) == (2, 1)
        assert dict(store.replay([letter.id])) == {letter.id: "a"}
        claim = store.claim("orders", consumer, 1).claims[0]
        assert (claim.crashes, claim.suspect, claim.verdict, claim.deliveries) == (0, False, None, 1)
        envelope = claim.envelope
        assert (envelope.replay, envelope.expires_at, envelope.dedup, envelope.group_key) == (1, None, None, "tenant")
        assert b'"retries": 0' in envelope.head
        assert HEADER_REPLAY.encode() in envelope.head
        assert store.count_dead(ALL) == 0

    def test_a_letter_is_replayed_once(self, store: Store, consumer: str) -> None:
        letter = store.bury("orders", message("a"), Reason.FAILED, {})
        assert dict(store.replay([letter, letter])) == {letter: "a"}
        assert dict(store.replay([letter])) == {}
        assert task_ids(store.claim("orders", consumer, 9).claims) == ["a"]

    def test_replay_creates_a_queue_that_was_deleted(self, store: Store, consumer: str) -> None:
        letter = store.bury("gone", message("a"), Reason.FAILED, {})
        store.replay([letter])
        assert task_ids(store.claim("gone", consumer, 1).claims) == ["a"]

    @pytest.mark.parametrize("ids", [[], ["no-such-letter"], ["-1"], ["1.5"], [""]])
    def test_unknown_letters_are_left_out(self, store: Store, ids: list[str]) -> None:
        store.bury("orders", message("a"), Reason.FAILED, {})
        assert dict(store.replay(ids)) == {}
        assert store.discard(ids) == 0
        assert store.count_dead(ALL) == 1

    def test_a_letter_of_a_newer_layout_is_not_replayed(self, store: Store) -> None:
        letter = store.bury("orders", message("a", layout=LAYOUT + 1), Reason.FAILED, {})
        assert dict(store.replay([letter])) == {}
        assert store.count_dead(ALL) == 1

    def test_a_discarded_letter_is_gone(self, store: Store) -> None:
        first = store.bury("orders", message("a"), Reason.FAILED, {})
        store.bury("orders", message("b"), Reason.FAILED, {})
        assert store.discard([first, first]) == 1
        assert [letter.envelope.task_id for letter in store.list_dead(ALL)] == ["b"]

    def test_pruning_bounds_age_and_number(self, store: Store, clock: ManualClock) -> None:
        for name in "abcde":
            store.bury("orders", message(name), Reason.FAILED, {})
            clock.advance(10)
        assert store.prune_dead(max_age=1_000, max_count=10) == 0
        assert store.prune_dead(max_age=45, max_count=10) == 1
        assert store.prune_dead(max_age=1_000, max_count=2) == 2
        assert [letter.envelope.task_id for letter in store.list_dead(ALL)] == ["e", "d"]
        assert store.prune_dead(max_age=1_000, max_count=0) == 2
