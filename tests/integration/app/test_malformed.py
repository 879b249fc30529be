"""A zoo of messages that no worker can run: each is kept with its reason, and the worker goes on."""

from __future__ import annotations

import json
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from umbel.message import Envelope
from umbel.outcomes import Reason

BODY = [[1, 2], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
HEADERS = {"lang": "py", "task": "shop.add", "id": "7f3c", "retries": 0, "timelimit": [None, None]}


def head(**changes: Any) -> bytes:
    """A good head, but for these changes; None removes a key."""
    content = {
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": HEADERS,
        "properties": {"correlation_id": "7f3c", "delivery_info": {"exchange": "", "routing_key": "celery"}},
    }
    content.update({key.replace("_", "-"): value for key, value in changes.items()})
    return json.dumps(content).encode()


def headers(**changes: Any) -> bytes:
    return head(headers={key: value for key, value in {**HEADERS, **changes}.items() if value is not ...})


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


GOOD = body(BODY)
ZOO: dict[str, tuple[bytes, bytes, Reason]] = {
    "head is not JSON": (b"{", GOOD, Reason.UNDECODABLE),
    "head is empty": (b"", GOOD, Reason.UNDECODABLE),
    "head is binary": (b"\x00\xff\xfe\x01", GOOD, Reason.UNDECODABLE),
    "head is a list": (b"[]", GOOD, Reason.UNDECODABLE),
    "head is deeply nested": (b"[" * 100_000, GOOD, Reason.UNDECODABLE),
    "headers are a list": (head(headers=[1, 2]), GOOD, Reason.UNDECODABLE),
    "headers are null": (head(headers=None), GOOD, Reason.UNDECODABLE),
    "properties are a text": (head(properties="x"), GOOD, Reason.UNDECODABLE),
    "headers are empty": (head(headers={}), GOOD, Reason.INVALID),
    "no task": (headers(task=...), GOOD, Reason.INVALID),
    "task is a number": (headers(task=7), GOOD, Reason.INVALID),
    "task is a list": (headers(task=["shop.add"]), GOOD, Reason.INVALID),
    "no id": (headers(id=...), GOOD, Reason.INVALID),
    "id is a number": (headers(id=7), GOOD, Reason.INVALID),
    "body is empty": (head(), b"", Reason.INVALID),
    "body is not JSON": (head(), b"not json", Reason.UNDECODABLE),
    "body is half JSON": (head(), GOOD[:-4], Reason.UNDECODABLE),
    "body is NUL bytes": (head(), b"\x00" * 40, Reason.UNDECODABLE),
    "body is not UTF-8": (head(), b'[["\xff"], {}, {}]', Reason.UNDECODABLE),
    "body is deeply nested": (head(), b"[" * 100_000, Reason.UNDECODABLE),
    "body is null": (head(), b"null", Reason.INVALID),
    "body is a number": (head(), b"42", Reason.INVALID),
    "body is a text": (head(), b'"shop.add"', Reason.INVALID),
    "body is an object without args": (head(), b'{"a": 1}', Reason.INVALID),
    "body is a short list": (head(), b"[[1, 2], {}]", Reason.INVALID),
    "args are an object": (head(), body([{"x": 1}, {}, {}]), Reason.INVALID),
    "args are a text": (head(), body(["xy", {}, {}]), Reason.INVALID),
    "kwargs are a list": (head(), body([[1, 2], [], {}]), Reason.INVALID),
    "options are a list": (head(), body([[1, 2], {}, []]), Reason.INVALID),
    "callbacks are a text": (head(), body([[1, 2], {}, {"callbacks": "note"}]), Reason.INVALID),
    "chord is a number": (head(), body([[1, 2], {}, {"chord": 5}]), Reason.INVALID),
    "retries are a text": (headers(retries="many"), GOOD, Reason.INVALID),
    "time limits are a number": (headers(timelimit=7), GOOD, Reason.INVALID),
    "time limits are three": (headers(timelimit=[1, 2, 3]), GOOD, Reason.INVALID),
    "time limits are texts": (headers(timelimit=["a", "b"]), GOOD, Reason.INVALID),
    "eta is no time": (headers(eta="soon"), GOOD, Reason.INVALID),
    "expires is no time": (headers(expires={"a": 1}), GOOD, Reason.INVALID),
    "stamps are a list": (headers(stamped_headers=["a"], stamps=["b"]), GOOD, Reason.INVALID),
    "content type is unknown": (head(content_type="application/x-elephant"), GOOD, Reason.UNDECODABLE),
    "content type is pickle": (
        head(content_type="application/x-python-serialize", content_encoding="binary"),
        pickle.dumps(BODY),
        Reason.UNDECODABLE,
    ),
    "content type is a list": (head(content_type=["application/json"]), GOOD, Reason.UNDECODABLE),
    "content encoding is binary": (head(content_encoding="binary"), b"\x80" + GOOD, Reason.UNDECODABLE),
    "content encoding is wrong": (head(content_encoding="utf-16"), GOOD + b"!", Reason.UNDECODABLE),
    "compression is a lie": (headers(compression="application/x-gzip"), GOOD, Reason.UNDECODABLE),
    "compression is unknown": (headers(compression="application/x-martian"), zlib.compress(GOOD), Reason.UNDECODABLE),
    "first protocol without an id": (head(headers={}), body({"task": "shop.add", "args": [1, 2]}), Reason.INVALID),
    "first protocol with bad args": (
        head(headers={}),
        body({"task": "shop.add", "id": "7f3c", "args": 5}),
        Reason.INVALID,
    ),
    "too large a body": (head(), body([["x" * 50_000_000], {}, {}]), Reason.OVERSIZE),
    "too large a head": (headers(junk="x" * 20_000_000), GOOD, Reason.OVERSIZE),
}


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_every_malformed_message_is_kept_and_the_worker_goes_on(
    shop: Any, settled: Callable[..., None], pool: str
) -> None:
    for name, (head_bytes, body_bytes, _) in ZOO.items():
        envelope = Envelope(task_id=name, task="shop.add", head=head_bytes, body=body_bytes)
        shop.store.publish("celery", [envelope])
    before = shop.module.add.delay(20, 1)
    worker = shop.start(pool)
    settled(shop, within=60)
    after = shop.module.add.delay(20, 2)
    settled(shop)
    assert worker.poll() is None
    assert (before.get(timeout=5), after.get(timeout=5)) == (21, 22)
    found = {letter.envelope.task_id: letter for letter in shop.dead()}
    assert {name: letter.reason for name, letter in found.items()} == {
        name: reason for name, (_, _, reason) in ZOO.items()
    }
    for name, (head_bytes, body_bytes, _) in ZOO.items():
        assert found[name].envelope.head == head_bytes
        assert found[name].envelope.body == body_bytes
        assert found[name].error["error_code"].startswith("MESSAGE_")
        assert found[name].error["message"]
    assert sorted(shop.effects()) == ["add 20 1", "add 20 2"]


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_who_waits_for_a_malformed_task_is_told(shop: Any, settled: Callable[..., None], pool: str) -> None:
    content = json.loads(headers(timelimit=["a", "b"], id="told"))
    envelope = Envelope(task_id="told", task="shop.add", head=json.dumps(content).encode(), body=GOOD)
    shop.store.publish("celery", [envelope])
    shop.start(pool)
    settled(shop)
    with pytest.raises(Exception, match="timelimit: expected seconds"):
        shop.app.AsyncResult("told").get(timeout=10)


def test_messages_of_the_first_protocol_run(shop: Any, settled: Callable[..., None]) -> None:
    first = body({"task": "shop.add", "id": "first", "args": [3, 4], "kwargs": {}, "retries": 0})
    envelope = Envelope(task_id="first", task="shop.add", head=head(headers={}), body=first)
    shop.store.publish("celery", [envelope])
    shop.start("solo")
    settled(shop)
    assert shop.app.AsyncResult("first").get(timeout=5) == 7
    assert not shop.dead()


def test_arguments_that_the_task_does_not_take_are_its_failure(shop: Any, settled: Callable[..., None]) -> None:
    shop.app.send_task("shop.add", args=(1, 2, 3))
    shop.start("solo")
    settled(shop)
    (letter,) = shop.dead()
    assert (letter.reason, letter.error["error_code"]) == (Reason.FAILED, "TypeError")


def test_a_malformed_chord_is_no_trap(shop: Any, settled: Callable[..., None]) -> None:
    content = json.loads(headers(id="trap", timelimit=["a", "b"], group="g"))
    broken = body([[1, 2], {}, {"chord": {"task": 5}}])
    envelope = Envelope(task_id="trap", task="shop.add", head=json.dumps(content).encode(), body=broken)
    shop.store.publish("celery", [envelope])
    shop.start("solo")
    settled(shop, within=60)
    (letter,) = shop.dead()
    assert letter.reason is Reason.INVALID
