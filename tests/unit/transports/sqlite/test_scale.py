"""What waits does not slow what is claimed: counted in steps of SQLite's machine, not in seconds."""

from __future__ import annotations

import pytest

from umbel.clock import ManualClock
from umbel.testing.contract import message
from umbel.transports.sqlite import SqliteStore

MANY = 20_000


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    store = SqliteStore(tmp_path / "q.db", clock=clock)
    yield store
    store.close()


def steps_of_a_claim(store, consumer, **options):
    """Return how many hundreds of virtual machine steps one claim and its ack take."""
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    connection = store._db._connected()
    connection.set_progress_handler(count, 100)
    claims = store.claim("orders", consumer, 20, **options).claims
    store.ack([claim.receipt for claim in claims])
    connection.set_progress_handler(None, 100)
    assert len(claims) == 20
    return steps


def measure(store, crowd, **options):
    """Return the steps of a claim beside a small crowd and beside a large one."""
    consumer = store.register("s@here", lease=15)
    counted = []
    for size in (50, MANY):
        for start in range(0, size, 5_000):
            store.publish("orders", [crowd(number) for number in range(min(5_000, size - start))])
        store.publish("orders", [message(**options.get("wanted", {})) for _ in range(20)])
        counted.append(steps_of_a_claim(store, consumer, skip_groups=options.get("skip", ())))
    return counted


def test_delayed_messages_do_not_slow_a_claim(store, clock):
    later = clock.now() + 3_600
    few, many = measure(store, lambda number: message(visible_at=later + number))
    assert many <= few * 1.3 + 5


def test_messages_of_lower_priority_do_not_slow_a_claim(store):
    few, many = measure(store, lambda _: message(priority=0), wanted={"priority": 9})
    assert many <= few * 1.3 + 5


def test_messages_of_blocked_groups_do_not_slow_a_claim(store):
    # The window is looked at once, then the groups are stepped over: the cost is bounded, not equal.
    few, many = measure(store, lambda _: message(group_key="blocked"), wanted={"group_key": "free"}, skip={"blocked"})
    assert many <= few + 400


def test_claimed_messages_of_others_do_not_slow_a_claim(store):
    hoarder = store.register("hoarder", lease=15)
    worker = store.register("s@here", lease=15)
    counted = []
    for size in (50, MANY):
        store.publish("orders", [message() for _ in range(size)])
        store.claim("orders", hoarder, size)
        store.publish("orders", [message() for _ in range(20)])
        counted.append(steps_of_a_claim(store, worker))
    assert counted[1] <= counted[0] * 1.3 + 5


def test_dead_letters_and_other_queues_do_not_slow_a_claim(store):
    store.publish("mails", [message() for _ in range(MANY)])
    few, many = measure(store, lambda number: message(visible_at=9e9 + number))
    assert many <= few * 1.3 + 5


def test_an_idle_claim_takes_no_write_lock(store, tmp_path):
    consumer = store.register("s@here", lease=15)
    store.publish("orders", [message(visible_at=9e9)])
    writer = SqliteStore(tmp_path / "q.db")
    with writer._db.write():
        assert store.claim("orders", consumer, 20).next_due == 9e9
    writer.close()


def test_a_burst_of_due_messages_is_worked_off_in_steps(store, clock):
    consumer = store.register("s@here", lease=15)
    due = clock.now() + 10
    names = [f"m{number}" for number in range(2_500)]
    store.publish("orders", [message(name, visible_at=due + index / 10_000) for index, name in enumerate(names)])
    clock.advance(60)
    taken = []
    while claims := store.claim("orders", consumer, 200).claims:
        taken += [claim.envelope.task_id for claim in claims]
    assert taken == names


def test_a_purge_of_many_lets_others_write_in_between(store):
    store.publish("orders", [message() for _ in range(12_000)])
    assert store.purge("orders") == 12_000
    assert store._db.fetch("SELECT (SELECT count(*) FROM envelopes), (SELECT count(*) FROM messages)") == [(0, 0)]
