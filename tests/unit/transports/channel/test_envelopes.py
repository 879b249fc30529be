"""Any message comes back as it was, and the store knows what it must of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.clock import Timestamp
from umbel.errors import OversizeError, UndecodableError
from umbel.message import Envelope
from umbel.transports.base import Claim
from umbel.transports.channel.envelopes import to_envelope, to_payload

TASK_ID = "7f3cb0f2-9a33-4a0e-8a52-0f9a9b0c1d2e"
PARENT_ID = "11111111-9a33-4a0e-8a52-0f9a9b0c1d2e"
NOW = Timestamp(1_700_000_000.0)


def message(body=b"[]", headers=None, **properties):
    return {
        "body": body,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {} if headers is None else headers,
        "properties": {"delivery_info": {"exchange": "", "routing_key": "q"}, **properties},
    }


def stored(raw, max_size=1_000_000):
    return to_envelope(raw, max_size=max_size, now=NOW)


def celery_headers(**changes):
    return {"id": TASK_ID, "task": "shop.charge", "retries": 0, "eta": None, "expires": None, **changes}


def test_what_celery_sends_stands_in_the_fields_of_the_store():
    headers = celery_headers(
        eta="2026-01-02T03:04:05+00:00",
        expires="2026-01-02T04:04:05.5+02:00",
        umbel_group="tenant-7",
        umbel_replay=2,
        umbel_key="k1",
        umbel_signature="abc",
    )
    envelope = stored(message(headers=headers, priority=7, correlation_id="c1"))
    assert (envelope.task_id, envelope.task, envelope.priority) == (TASK_ID, "shop.charge", 7)
    assert envelope.visible_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    assert envelope.expires_at == datetime(2026, 1, 2, 2, 4, 5, 500_000, tzinfo=UTC).timestamp()
    assert (envelope.group_key, envelope.replay, envelope.correlation_id) == ("tenant-7", 2, "c1")
    assert (envelope.signature, envelope.key_id) == (b"abc", "k1")


@pytest.mark.parametrize(
    ("given_priority", "kept"), [(None, 0), (-3, 0), (0, 0), (9, 9), (12, 9), ("4", 4), ("x", 0), (float("inf"), 0)]
)
def test_priorities_are_clamped_to_0_to_9(given_priority, kept):
    assert stored(message(priority=given_priority)).priority == kept


def test_a_relative_expiration_counts_from_now_and_an_absolute_one_wins():
    assert stored(message(expiration="1500")).expires_at == NOW + 1.5
    assert stored(message(headers={"expires": 42.5}, expiration="1500")).expires_at == 42.5
    assert stored(message(headers={"expires": 0})).expires_at is None
    assert stored(message(expiration="soon")).expires_at is None


@pytest.mark.parametrize("eta", ["tomorrow", "", 17, [], "9999-99-99"])
def test_an_eta_that_cannot_be_read_makes_a_message_due_at_once(eta):
    assert stored(message(headers=celery_headers(eta=eta))).visible_at == 0.0


class TestDeduplication:
    def test_a_plain_task_does_not_ask_for_it(self):
        assert stored(message(headers=celery_headers())).dedup is None

    def test_a_retry_asks_for_it(self):
        assert stored(message(headers=celery_headers(retries=2))).dedup == f"{TASK_ID}:2:0"

    def test_a_continuation_asks_for_it(self):
        assert stored(message(headers=celery_headers(parent_id=PARENT_ID))).dedup == f"{TASK_ID}:0:0"

    def test_an_id_that_somebody_chose_may_be_used_again(self):
        assert stored(message(headers=celery_headers(id="sync-42", parent_id=PARENT_ID))).dedup is None

    def test_a_task_may_send_itself_again(self):
        assert stored(message(headers=celery_headers(parent_id=TASK_ID))).dedup is None

    def test_a_replacement_is_no_repeat_of_what_it_replaces(self):
        first = stored(message(headers=celery_headers(parent_id=PARENT_ID)))
        second = stored(message(headers=celery_headers(parent_id=PARENT_ID, replaced_task_nesting=1)))
        assert second.dedup not in (None, first.dedup)

    def test_the_header_asks_for_it_with_the_tasks_identity_or_its_own(self):
        assert stored(message(headers=celery_headers(umbel_dedup=True))).dedup == f"{TASK_ID}:0:0"
        assert stored(message(headers=celery_headers(umbel_dedup="daily-7"))).dedup == "daily-7:0:0"

    def test_a_retry_of_a_message_with_an_identity_is_no_repeat_of_it(self):
        first = stored(message(headers=celery_headers(umbel_dedup="daily-7")))
        retry = stored(message(headers=celery_headers(umbel_dedup="daily-7", retries=1)))
        assert retry.dedup != first.dedup


def test_a_message_over_the_limit_is_refused_by_size_limit_and_task():
    with pytest.raises(OversizeError) as caught:
        stored(message(body=b"x" * 2_000, headers=celery_headers()), max_size=1_000)
    assert caught.value.details["limit"] == 1_000
    assert caught.value.details["task"] == "shop.charge"
    assert caught.value.message.startswith("task 'shop.charge': its message is ")
    assert "the limit broker.max_message_size is 1000 bytes" in caught.value.message


def claimed(envelope: Envelope, **changes) -> Claim:
    return Claim(**{"receipt": "r-1", "queue": "q", "envelope": envelope, **changes})


def test_the_delivery_tag_is_the_receipt_and_redelivery_is_said_twice():
    payload = to_payload(claimed(stored(message(priority=3)), receipt="r-7", redelivered=True))
    assert payload["properties"]["delivery_tag"] == "r-7"
    assert payload["properties"]["delivery_info"] == {
        "exchange": "",
        "routing_key": "q",
        "priority": 3,
        "redelivered": True,
    }
    assert payload["headers"]["redelivered"] is True


def test_types_that_kombu_marks_survive_in_headers():
    headers = {
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "id": UUID(TASK_ID),
        "price": Decimal("1.10"),
        "raw": b"\xff\x00",
        "not a number": float("inf"),
    }
    assert to_payload(claimed(stored(message(headers=headers))))["headers"] == headers


def test_a_head_that_is_no_json_object_is_undecodable():
    for head in (b"\xff\xfe", b"[1, 2]", b'{"headers": [], "properties": {}}', b'{"headers": {}}', b"", b"[" * 100_000):
        envelope = Envelope(task_id="", task="", head=head, body=b"")
        with pytest.raises(UndecodableError):
            to_payload(claimed(envelope))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=15,
)


@given(
    headers=st.dictionaries(st.text(), json_values, max_size=6),
    body=st.binary() | st.text(),
    properties=st.dictionaries(
        st.sampled_from(["reply_to", "correlation_id", "priority", "expiration", "message_id"]), json_values, max_size=4
    ),
)
def test_whatever_kombu_carries_comes_back_as_it_was(headers, body, properties):
    raw = message(body=body, headers=headers, **properties)
    payload = to_payload(claimed(stored(raw)))
    assert payload["headers"] == headers
    assert payload["body"] == (body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    assert payload["content-type"] == "application/json"
    for name, value in properties.items():
        assert payload["properties"][name] == value
