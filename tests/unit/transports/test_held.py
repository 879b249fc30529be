"""What a consumer holds, in both stores."""

from __future__ import annotations

import contextlib

import pytest

from umbel.message import Envelope
from umbel.transports.registry import open_store


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    url = "memory://held" if request.param == "memory" else f"sqlite:///{tmp_path}/queues.db"
    with contextlib.closing(open_store(url)) as found:
        yield found


def test_held_are_the_claims_that_are_not_settled(store):
    envelopes = [Envelope(f"task-{number}", "demo", b"{}", b"body", priority=number) for number in range(5)]
    store.publish("bulk", envelopes)
    one, other = store.register("one", lease=15.0), store.register("other", lease=15.0)
    claims = store.claim("bulk", one, 3).claims
    store.claim("bulk", other, 1)
    store.ack([claims[0].receipt])
    store.release([claims[1].receipt])
    (found,) = store.held(one)
    assert (found.queue, found.state, found.owner) == ("bulk", "claimed", one)
    assert found.envelope == claims[2].envelope == store.find("task-2").envelope
    assert [item.envelope.task_id for item in store.held(other)] == ["task-1"]
    assert store.held("nobody") == []
