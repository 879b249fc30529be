"""Reading messages that may be malformed in every way."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.control.payloads import payload_of
from umbel.message import Envelope

JSON_HEAD = b'{"headers": {"a": 1}, "content-type": "application/json", "properties": {}}'


def envelope(head: bytes, body: bytes) -> Envelope:
    return Envelope(task_id="t", task="x", head=head, body=body)


def test_arguments_are_read_from_a_plain_and_from_a_base64_body():
    body = json.dumps([[1], {"b": 2}, {}]).encode()
    packed = JSON_HEAD.replace(b'"properties": {}', b'"properties": {"body_encoding": "base64"}')
    for message in (envelope(JSON_HEAD, body), envelope(packed, b64encode(body))):
        payload = payload_of(message)
        assert (payload.args, payload.kwargs, payload.problem) == ([1], {"b": 2}, None)
        assert payload.headers == {"a": 1}


@pytest.mark.parametrize(
    ("head", "body", "problem"),
    [
        (b'{"content-type": "application/x-python-serialize"}', b"\x80\x04", "only application/json"),
        (JSON_HEAD, b"{broken", "Expecting property name"),
        (JSON_HEAD, b'{"no": "list"}', "found dict"),
        (JSON_HEAD, b"\xff\xfe\x00", ""),
        (JSON_HEAD, b"[" * 100_000, ""),
        (b"not json", b"[[], {}, {}]", "content type None"),
        (b'["a", "list"]', b"[[], {}, {}]", "content type None"),
        (b'{"headers": [1], "content-type": ["x"]}', b"", "content type"),
    ],
)
def test_what_cannot_be_read_is_shown_raw_with_the_problem(head, body, problem):
    payload = payload_of(envelope(head, body))
    assert (payload.args, payload.kwargs) == (None, None)
    assert payload.problem is not None
    assert problem in payload.problem
    assert payload.raw == body[:400].decode("utf-8", "backslashreplace")
    assert isinstance(payload.headers, dict)


@given(head=st.binary(max_size=80), body=st.binary(max_size=80))
def test_no_message_whatever_breaks_the_view(head, body):
    payload_of(envelope(head, body))
    payload_of(envelope(JSON_HEAD, body))
