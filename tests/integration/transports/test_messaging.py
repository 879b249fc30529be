"""Orders, delays, exchanges and limits, seen from plain Celery and kombu over real files."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from kombu import Connection, Exchange, Queue
from kombu.exceptions import ChannelError, OperationalError
from kombu.pools import producers

import umbel.transports  # noqa: F401 - registers the transport
from umbel.errors import OversizeError, UnsupportedError
from umbel.transports.base import DeadLetterFilter


def words(lines):
    return [line[0] for line in lines]


@pytest.fixture
def connection(tmp_path):
    with Connection(f"sqlite:///{tmp_path / 'broker.db'}") as opened:
        yield opened


@pytest.fixture
def store(connection):
    return connection.default_channel.store


def test_tasks_run_in_the_order_of_their_priority(plain, start_worker, effects, eventually):
    for priority in (0, 9, 3, 6):
        plain.record.apply_async((f"priority-{priority}",), priority=priority)
    start_worker("--prefetch-multiplier", "1")
    eventually(lambda: len(effects()) == 4, claim="all have run")
    assert words(effects()) == ["priority-9", "priority-6", "priority-3", "priority-0"]


def test_a_countdown_waits_in_the_broker_and_runs_on_time(plain, start_worker, effects, eventually, store):
    start_worker()
    due = time.time() + 1.5
    plain.record.apply_async(("later",), eta=datetime.fromtimestamp(due, tz=UTC))
    plain.record.apply_async(("now",))
    eventually(lambda: words(effects()) == ["now"], claim="the other one runs at once")
    eventually(lambda: (store.queues()[0].delayed, store.queues()[0].claimed) == (1, 0), claim="no worker holds it")
    eventually(lambda: len(effects()) == 2, claim="it runs")
    assert 0 <= float(effects()[1][2]) - due < 0.3


def test_two_workers_share_a_queue(plain, start_worker, effects, eventually):
    start_worker("--prefetch-multiplier", "1", name="w1")
    start_worker("--prefetch-multiplier", "1", name="w2")
    for number in range(6):
        plain.hold.delay(f"task-{number}", 0.3)
    eventually(lambda: len(effects()) == 12, claim="all have ended")
    assert len({line[1] for line in effects()}) == 2
    assert len(set(words(effects()))) == 12


def test_purge_removes_what_waits_and_says_how_much(plain):
    for number in range(7):
        plain.record.delay(str(number))
    assert plain.app.control.purge() == 7
    assert plain.app.control.purge() == 0


def test_a_passive_declaration_finds_a_queue_or_says_that_there_is_none(connection):
    channel = connection.default_channel
    with pytest.raises(ChannelError, match="NOT_FOUND - no queue 'tasks'"):
        channel.queue_declare("tasks", passive=True)
    assert not channel.store.queue_exists("tasks"), "looking for it does not create it"
    channel.queue_declare("tasks")
    connection.Producer().publish({}, routing_key="tasks")
    assert channel.queue_declare("tasks", passive=True).message_count == 1


def test_a_batch_is_published_in_order(connection, store):
    producer = connection.Producer()
    assert producer.supports_batch_publish
    with producer.batch(100):
        for number in range(250):
            producer.publish(str(number), routing_key="bulk")
        assert store.size("bulk") == 200, "full batches are stored while the context is open"
    consumer = store.register("test", lease=15.0)
    bodies = [claim.envelope.body for claim in store.claim("bulk", consumer, 250).claims]
    assert bodies == [str(number).encode() for number in range(250)]


def test_an_aborted_batch_stores_nothing(connection, store):
    producer = connection.Producer()

    def publish_and_fail():
        with producer.batch(100):
            producer.publish("lost", routing_key="bulk")
            raise LookupError

    with pytest.raises(LookupError):
        publish_and_fail()
    assert store.size("bulk") == 0


def test_exchanges_route_by_key_pattern_and_to_all(connection, tmp_path):
    channel = connection.default_channel
    direct, topic, fanout = Exchange("d"), Exchange("t", "topic"), Exchange("f", "fanout")
    for queue in (
        Queue("d1", direct, routing_key="a"),
        Queue("t1", topic, routing_key="orders.*"),
        Queue("t2", topic, routing_key="orders.#"),
        Queue("f1", fanout),
        Queue("f2", fanout),
    ):
        queue(channel).declare()
    with Connection(f"sqlite:///{tmp_path / 'broker.db'}") as other:
        producer = other.Producer()
        producer.publish(1, exchange=direct, routing_key="a", declare=[direct])
        producer.publish(2, exchange=topic, routing_key="orders.eu", declare=[topic])
        producer.publish(3, exchange=topic, routing_key="orders.eu.north", declare=[topic])
        producer.publish(4, exchange="f", routing_key="anything")
    assert {name: channel.store.size(name) for name in ("d1", "t1", "t2", "f1", "f2")} == {
        "d1": 1,
        "t1": 1,
        "t2": 2,
        "f1": 1,
        "f2": 1,
    }
    assert ("t1", "t", "orders.*") in list(channel.list_bindings())


def test_draining_an_empty_connection_times_out_without_spinning(connection):
    used = time.process_time()
    with connection.Consumer([Queue("empty")], callbacks=[lambda *_: None]), pytest.raises(socket.timeout):
        connection.drain_events(timeout=1.0)
    assert time.process_time() - used < 0.2


def test_a_waiting_consumer_is_woken_at_once_by_another_thread(connection, tmp_path):
    received = []

    def publish():
        with Connection(f"sqlite:///{tmp_path / 'broker.db'}") as other:
            other.Producer().publish(time.time(), routing_key="wake")

    with connection.Consumer([Queue("wake")], callbacks=[lambda body, message: received.append((time.time(), body))]):
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=0.01)
        thread = threading.Timer(0.2, publish)
        thread.start()
        connection.drain_events(timeout=5)
        thread.join()
    arrived, sent = received[0]
    assert arrived - sent < 0.2


def test_the_prefetch_limit_holds_and_an_ack_makes_room(connection):
    for number in range(5):
        connection.Producer().publish(number, routing_key="limited")
    held = []
    with connection.Consumer([Queue("limited")], callbacks=[lambda _, message: held.append(message)], prefetch_count=2):
        for _ in range(2):
            connection.drain_events(timeout=1)
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=0.05)
        assert connection.default_channel.store.queues()[0].claimed == 2
        held[0].ack()
        connection.drain_events(timeout=1)
        assert len(held) == 3


def test_unacked_messages_are_restored_when_the_connection_closes(connection, tmp_path, caplog):
    caplog.set_level("INFO")
    other = Connection(f"sqlite:///{tmp_path / 'broker.db'}")
    other.Producer().publish("mine", routing_key="held")
    consumer = other.Consumer([Queue("held")], callbacks=[lambda *_: None])
    consumer.consume()
    other.drain_events(timeout=1)
    other.close()

    assert "Restoring 1 unacknowledged message(s)" in caplog.text
    message = Queue("held")(connection.default_channel).get()
    assert message.payload == "mine"
    assert message.delivery_info["redelivered"] is True
    message.ack()


def test_rejecting_with_requeue_gives_back_and_without_buries(connection, store):
    queue = Queue("picky")(connection.default_channel)
    queue.declare()
    connection.Producer().publish("again", routing_key="picky")
    queue.get().requeue()
    message = queue.get()
    assert message.delivery_info["redelivered"] is True
    message.reject()
    assert queue.get() is None
    assert [letter.queue for letter in store.list_dead(DeadLetterFilter())] == ["picky"]


def test_a_message_that_is_too_large_is_refused_when_it_is_published(plain):
    plain.app.conf.broker_transport_options = {"max_message_size": 10_000}
    with pytest.raises(OversizeError) as caught:
        plain.record.delay("x" * 20_000)
    assert caught.value.details["task"] == "plainapp.record"
    assert caught.value.details["limit"] == 10_000
    assert caught.value.details["size"] > 20_000
    assert "plainapp.record" in str(caught.value)
    plain.record.delay("small")


def test_a_queue_length_limit_is_refused_instead_of_ignored(connection):
    with pytest.raises(UnsupportedError, match="x-max-length=10 asks for a length limit"):
        Queue("short", max_length=10)(connection.default_channel).declare()


def test_a_message_time_to_live_is_enforced(connection):
    queue = Queue("brief", message_ttl=0.05)(connection.default_channel)
    queue.declare()
    connection.Producer().publish("old", routing_key="brief")
    time.sleep(0.1)
    assert queue.get() is None


@pytest.mark.parametrize("content", [b"not a database" * 100, None])
def test_a_file_that_cannot_be_used_is_named_when_connecting(tmp_path, content):
    path = tmp_path / "broken"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    connection = Connection(f"sqlite:///{path}")
    with pytest.raises(connection.connection_errors, match=str(path)):
        connection.connect()


def test_publishing_into_a_damaged_file_fails_with_the_remedy(tmp_path):
    path = tmp_path / "broken.db"
    path.write_bytes(b"not a database" * 100)
    with Connection(f"sqlite:///{path}") as connection, pytest.raises(OperationalError, match="not a SQLite database"):
        connection.Producer().publish(1, routing_key="q", retry=True, retry_policy={"max_retries": 1})


def test_failover_goes_to_the_next_url(tmp_path):
    (tmp_path / "one").mkdir()
    urls = [f"sqlite:///{tmp_path / 'one'}", f"sqlite:///{tmp_path / 'two.db'}"]
    with Connection(urls) as connection:
        connection.ensure_connection(max_retries=3, interval_start=0)
        connection.Producer().publish("hello", routing_key="q")
    assert (tmp_path / "two.db").exists()


def test_threads_may_publish_through_one_pool_at_once(connection, store):
    def publish(name):
        for _ in range(50):
            with producers[connection].acquire(block=True) as producer:
                producer.publish(name, routing_key="busy")

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.size("busy") == 200
    producers[connection].force_close_all()


def test_messages_that_celery_never_made_come_back_as_they_were(connection):
    queue = Queue("foreign")(connection.default_channel)
    queue.declare()
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    headers = {"when": moment, "id": uuid4(), "raw": b"\x00\xff", "deep": {"list": [1, None, 2.5]}, "ünïcode": "✓"}
    body = bytes(range(256))
    connection.Producer().publish(
        body, routing_key="foreign", headers=headers, content_type="application/x-thing", content_encoding="binary"
    )
    message = queue.get()
    assert (bytes(message.body), message.content_type, message.content_encoding) == (
        body,
        "application/x-thing",
        "binary",
    )
    assert message.headers == headers
    message.ack()


def test_an_expired_message_is_still_delivered_so_that_its_expiry_is_recorded(plain, start_worker, effects, eventually):
    plain.record.apply_async(("too late",), expires=0.001)
    plain.record.delay("in time")
    worker = start_worker()
    eventually(lambda: words(effects()) == ["in"], claim="the other one has run")
    assert "Discarding revoked task" in worker.text
