from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from kombu.utils import json as kombu_json

from umbel.clock import Timestamp
from umbel.message import HEADER_REPLAY, LAYOUT, Envelope, dedup_key, replayed


def envelope(head: bytes = b"{}") -> Envelope:
    return Envelope(task_id="t1", task="shop.charge", head=head, body=b"\x00\xff")


def head_of(headers: object) -> bytes:
    return kombu_json.dumps({"headers": headers, "content-type": "application/json"}).encode()


def test_a_new_envelope_is_due_at_once_in_todays_layout_and_asks_for_no_deduplication() -> None:
    fresh = envelope()
    assert (fresh.visible_at, fresh.layout, fresh.dedup, fresh.priority, fresh.replay) == (0.0, LAYOUT, None, 0, 0)


@given(st.uuids(), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_two_attempts_share_a_key_only_when_they_are_the_same_attempt(
    task_id: object, retries: int, replay: int, other_retries: int, other_replay: int
) -> None:
    same = (retries, replay) == (other_retries, other_replay)
    assert (dedup_key(str(task_id), retries, replay) == dedup_key(str(task_id), other_retries, other_replay)) is same


def test_a_replay_starts_over_under_the_next_number() -> None:
    eta = datetime(2030, 1, 1, tzinfo=UTC)
    dead = replace(
        envelope(head_of({"id": "t1", "retries": 7, "eta": eta, "expires": eta, "lang": "py"})),
        replay=2,
        visible_at=Timestamp(99.0),
        expires_at=Timestamp(100.0),
        dedup="t1:7:2",
        priority=6,
        group_key="acme",
    )
    again = replayed(dead)
    assert (again.replay, again.visible_at, again.expires_at, again.dedup) == (3, 0.0, None, None)
    assert (again.task_id, again.body, again.priority, again.group_key) == ("t1", b"\x00\xff", 6, "acme")
    assert kombu_json.loads(again.head) == {
        "content-type": "application/json",
        "headers": {"id": "t1", "retries": 0, "eta": None, "expires": None, "lang": "py", HEADER_REPLAY: 3},
    }


def test_a_replay_keeps_other_headers_with_their_types() -> None:
    sent = datetime(2026, 1, 1, tzinfo=UTC)
    again = replayed(envelope(head_of({"sent": sent})))
    assert kombu_json.loads(again.head)["headers"]["sent"] == sent


@given(st.binary())
def test_a_head_that_cannot_be_read_is_replayed_as_it_is_or_as_json(head: bytes) -> None:
    again = replayed(envelope(head))
    assert again.replay == 1
    assert again.head == head or isinstance(kombu_json.loads(again.head), dict)


def test_headers_of_a_foreign_shape_are_left_alone() -> None:
    for head in (b"[]", b"7", b"null", b"[" * 100_000, head_of(None), head_of([1, 2]), head_of("text")):
        assert replayed(envelope(head)).head == head


def test_a_typed_value_that_kombu_cannot_read_leaves_the_head_alone() -> None:
    head = b'{"headers": {"eta": {"__type__": "datetime", "__value__": 5}}}'
    assert replayed(envelope(head)).head == head
