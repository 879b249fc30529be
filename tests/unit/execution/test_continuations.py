from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery, chain, chord, group
from celery.app.task import Context

from umbel.execution.continuations import identify_callbacks, identify_errbacks, replay_of

app = Celery("canvas", set_as_current=False, broker="memory://", backend="cache+memory://")


@app.task(name="note")
def note(*values: object) -> None: ...


def sent(signature: Any) -> dict[str, Any]:
    """Return a signature as it arrives in a message."""
    arrived: dict[str, Any] = json.loads(json.dumps(signature))
    return arrived


def context(**fields: Any) -> Context:
    return Context({"id": "7f3c", **fields})


def ids_of(request: Context) -> list[str]:
    return [signature["options"]["task_id"] for signature in request.callbacks]


def test_a_repeat_of_the_task_gives_the_same_ids() -> None:
    first, second = (context(callbacks=[sent(note.s(1)), sent(note.s(1))]) for _ in range(2))
    identify_callbacks(first)
    identify_callbacks(second)
    assert ids_of(first) == ids_of(second)


def test_two_callbacks_that_are_alike_have_different_ids() -> None:
    request = context(callbacks=[sent(note.s(1)), sent(note.s(1))])
    identify_callbacks(request)
    assert len(set(ids_of(request))) == 2


def test_the_retry_number_does_not_matter() -> None:
    first, second = (context(retries=retries, callbacks=[sent(note.s())]) for retries in (0, 1))
    identify_callbacks(first)
    identify_callbacks(second)
    assert ids_of(first) == ids_of(second)


def test_a_replay_and_another_parent_have_ids_of_their_own() -> None:
    requests = [
        context(callbacks=[sent(note.s())]),
        context(callbacks=[sent(note.s())], umbel_replay=1),
        Context({"id": "other", "callbacks": [sent(note.s())]}),
    ]
    for request in requests:
        identify_callbacks(request)
    assert len({ids_of(request)[0] for request in requests}) == 3


def test_an_errback_is_not_the_callback() -> None:
    request = context(callbacks=[sent(note.s())], errbacks=[sent(note.s())])
    identify_callbacks(request)
    identify_errbacks(request)
    assert request.callbacks[0]["options"]["task_id"] != request.errbacks[0]["options"]["task_id"]


def test_an_id_that_is_there_stays() -> None:
    request = context(callbacks=[sent(note.s().set(task_id="mine"))])
    identify_callbacks(request)
    assert ids_of(request) == ["mine"]


@pytest.mark.parametrize(
    "canvas",
    [
        chain(note.s(1), group(note.s(2), note.s(3)), note.s(4)),
        chord([note.s(4), note.s(5)], note.s(6)),
        group(chain(note.s(1), note.s(2)), note.s(3)),
        group(note.s(1), group(note.s(2), note.s(3))),
    ],
)
def test_a_canvas_as_callback_is_published_under_the_same_ids_twice(canvas: Any) -> None:
    published = []
    for _ in range(2):
        request = context(callbacks=[sent(canvas)])
        identify_callbacks(request)
        published.append(_publish(request.callbacks[0]))
    assert published[0] == published[1]
    assert len({message["id"] for message in published[0]}) == len(published[0]) > 0


def test_what_follows_a_replay_carries_its_number() -> None:
    request = context(umbel_replay=2, callbacks=[sent(note.s())], chain=[sent(note.s(9)), sent(note.s(8))])
    identify_callbacks(request)
    assert request.callbacks[0]["options"]["headers"] == {"umbel_replay": 2}
    assert request.chain[-1]["options"]["headers"] == {"umbel_replay": 2}
    assert "headers" not in request.chain[0]["options"]


def test_a_replay_number_that_is_none_counts_as_zero() -> None:
    assert replay_of(context(umbel_replay="many")) == 0


def _publish(signature: dict[str, Any]) -> list[dict[str, Any]]:
    """Publish for real, to kombu's in-memory broker; return what the messages say of ids."""
    with app.connection_for_write() as connection:
        queue = connection.SimpleQueue("celery")
        queue.clear()
        app.signature(signature).apply_async((0,), parent_id="7f3c", root_id="7f3c")
        seen = [queue.get_nowait() for _ in range(queue.qsize())]
        queue.clear()
        queue.close()
        return [{key: message.headers[key] for key in ("id", "group")} for message in seen]
