"""Messages between the supervisor and its processes."""

import os

import pytest

from umbel.worker.wire import pair


@pytest.fixture
def wires():
    ours, theirs = pair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_arrive_whole_and_in_order(wires):
    ours, theirs = wires
    for number in range(20):
        theirs.send("forked", number=number, text="x" * number * 50)
    assert [ours.receive()["number"] for _ in range(20)] == list(range(20))


def test_the_end_of_the_peer_is_none_and_sending_to_it_is_no_error(wires):
    ours, theirs = wires
    theirs.send("last")
    theirs.close()
    assert ours.receive() == {"kind": "last"}
    assert ours.receive() is None
    ours.send("too late")


def test_the_rest_is_read_without_waiting_though_somebody_else_holds_the_other_end(wires):
    ours, theirs = wires
    kept = os.dup(theirs.fileno())
    theirs.send("last")
    theirs.close()
    assert ours.rest() == {"kind": "last"}
    assert ours.rest() is None
    os.close(kept)
