from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.message import Message

from umbel.errors import MessageError, OversizeError, UndecodableError
from umbel.message import Envelope
from umbel.worker.admission import admit

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
HEADERS = {"task": "shop.add", "id": "7f3c"}


@dataclass
class Claimed:
    envelope: Envelope = field(default_factory=lambda: Envelope("7f3c", "shop.add", b"{}", b"[]"))


def message(body: Any, headers: Any = HEADERS) -> Any:
    made = Message(
        body=json.dumps(body),
        headers=headers,
        content_type="application/json",
        content_encoding="utf-8",
        channel=SimpleNamespace(),
    )
    made.claim = Claimed()
    return made


def test_a_good_message_names_its_task() -> None:
    assert admit(message([[1], {}, None]), max_size=100) == ("shop.add", None)


def test_a_message_of_the_first_protocol_brings_its_payload() -> None:
    payload = {"task": "shop.add", "id": "7f3c", "args": [1]}
    assert admit(message(payload, {}), max_size=100) == ("shop.add", payload)


def test_a_message_between_the_protocols_is_admitted() -> None:
    assert admit(message({"args": [1], "kwargs": {}}), max_size=100) == ("shop.add", None)


def test_a_large_message_is_not_even_decoded() -> None:
    large = message([[1], {}, {}])
    with pytest.raises(OversizeError, match=r"the limit broker\.max_message_size is 3 bytes"):
        admit(large, max_size=3)
    assert large._decoded_cache is None


def test_the_error_names_the_key_and_what_was_found() -> None:
    with pytest.raises(MessageError, match="header 'retries': expected int, found str 'many'"):
        admit(message([[], {}, {}], {**HEADERS, "retries": "many"}), max_size=100)
    with pytest.raises(MessageError, match=r"body: expected \[args, kwargs, options\], found a list of 1"):
        admit(message([[]]), max_size=100)


@given(body=ANYTHING, headers=st.dictionaries(st.sampled_from(["task", "id", "retries", "chord", "shadow"]), ANYTHING))
def test_whatever_comes_is_admitted_or_refused_with_our_error(body: Any, headers: dict[str, Any]) -> None:
    try:
        name, _ = admit(message(body, headers), max_size=100)
    except (MessageError, UndecodableError):
        return
    assert isinstance(name, str)
