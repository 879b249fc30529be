"""What a shard holds back goes to others whenever it cannot run here."""

import sqlite3

import pytest
from kombu import Connection

import umbel.transports  # noqa: F401 - registers the transports
from umbel.errors import StorageError
from umbel.message import Envelope
from umbel.transports.channel.deliveries import Delivery
from umbel.transports.registry import open_store
from umbel.worker.prefetch import Prefetch


@pytest.fixture
def file(tmp_path):
    return tmp_path / "broker.db"


@pytest.fixture
def store(file):
    opened = open_store(f"sqlite:///{file}")
    opened.publish("jobs", [Envelope(task_id=name, task="t", head=b"{}", body=b"[]") for name in ("a", "b")])
    yield opened
    opened.close()


@pytest.fixture
def channel(file, store):
    with Connection(f"sqlite:///{file}", transport_options={"keeper": False, "busy_timeout": 0.05}) as connection:
        yield connection.default_channel


@pytest.fixture
def prefetch(channel):
    made = Prefetch(2, target=1.0, max_tasks=None, nudge=lambda: None)
    made.attach(channel)
    return made


def claimed(store, channel):
    return [Delivery(claim) for claim in store.claim("jobs", channel.consumer, 2).claims]


def test_what_is_claimed_while_the_shard_drains_goes_back_at_once(store, channel, prefetch):
    deliveries = claimed(store, channel)
    prefetch.drain()
    prefetch.accept(deliveries)
    assert store.size("jobs") == 2
    prefetch.close()
    assert prefetch.take() is None


def test_a_suspect_that_cannot_be_isolated_now_is_put_off(file, store, channel, prefetch, eventually):
    dead = store.register("dead", lease=60.0)
    store.claim("jobs", dead, 2)
    store.reap(dead, started=None)
    suspect, _ = claimed(store, channel)
    assert suspect.claim.suspect
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    prefetch.deliver(suspect)
    writer.execute("ROLLBACK")
    writer.close()
    eventually(lambda: channel.settle() and store.size("jobs") == 1, claim="the suspect waits for another shard")


def test_a_consumer_that_has_left_does_not_come_back(store, channel):
    consumer = channel.consumer
    channel.connection.client.close()
    with pytest.raises(StorageError, match="closed"):
        _ = channel.consumer
    assert consumer not in [info.id for info in store.consumers()]
    assert store.consumers() == []
