"""The channel: direct and pull mode, suspects, leases that were lost, forks."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime

import pytest
from kombu import Connection, Queue
from kombu.asynchronous import Hub

from umbel import events
from umbel.errors import ConfigurationError
from umbel.message import Envelope
from umbel.outcomes import Reason, Verdict
from umbel.transports.base import DeadLetterFilter
from umbel.transports.channel import Channel


def publish(connection, queue, *bodies, **options):
    producer = connection.Producer()
    for body in bodies:
        producer.publish(body, routing_key=queue, **options)


def drain(connection, count, timeout=2):
    for _ in range(count):
        connection.drain_events(timeout=timeout)


def nothing_comes(connection, within=0.05):
    with pytest.raises(socket.timeout):
        connection.drain_events(timeout=within)


def bodies(messages):
    return [message.decode() for message in messages]


class Basket:
    """An intake that keeps what it gets."""

    def __init__(self, appetite):
        self.wanted = appetite
        self.deliveries = []

    def tended(self):
        return False

    def appetite(self):
        return self.wanted - len(self.deliveries)

    def accept(self, deliveries):
        self.deliveries.extend(deliveries)


class TestSettling:
    def test_acks_are_settled_in_one_batch_in_the_next_turn(self, connection, channel, consume):
        publish(connection, "q", 1, 2, 3)
        received = consume("q")
        drain(connection, 3)
        for message in received:
            message.ack()
        assert channel.settlement.pending == 3
        assert channel.settle()
        assert channel.store.queues()[0].claimed == 0

    def test_multiple_acks_all_that_came_before(self, connection, channel, consume):
        publish(connection, "q", 1, 2, 3)
        received = consume("q")
        drain(connection, 3)
        received[1].ack(multiple=True)
        channel.settle()
        assert channel.store.queues()[0].claimed == 1

    def test_a_dead_letter_keeps_its_reason_and_error(self, connection, channel, consume, store, heard):
        publish(connection, "q", 1)
        received = consume("q")
        drain(connection, 1)
        channel.basic_dead_letter(received[0].delivery_tag, Reason.PERMANENT, {"error_code": "CARD_STOLEN"})
        channel.settle()
        letter = store.list_dead(DeadLetterFilter(queue="q"))[0]
        assert (letter.reason, letter.error["error_code"]) == (Reason.PERMANENT, "CARD_STOLEN")
        assert [event.error_code for event in heard if isinstance(event, events.DeadLettered)] == ["CARD_STOLEN"]

    def test_a_parked_message_waits_for_a_worker_that_knows_it(self, connection, channel, consume, store):
        publish(connection, "q", 1, headers={"task": "unknown", "id": "1"})
        received = consume("q")
        drain(connection, 1)
        channel.basic_park(received[0].delivery_tag)
        channel.settle()
        assert store.queues()[0].parked == 1
        assert store.unpark("q", ["unknown"]) == 1
        drain(connection, 1)
        assert len(received) == 2

    def test_a_crash_counts_and_the_limit_gives_a_verdict(self, connect, consume):
        connection = connect(crash_limit=2)
        channel = connection.default_channel
        publish(connection, "q", 1)
        received = consume("q", connection=connection)
        for _ in range(2):
            drain(connection, 1)
            channel.basic_crash(received[-1].delivery_tag)
        drain(connection, 1)
        assert [message.claim.crashes for message in received] == [0, 1, 2]
        assert received[-1].claim.verdict is Verdict.POISON

    def test_acks_are_kept_while_results_cannot_be_stored(self, connection, channel, consume, store):
        publish(connection, "q", 1)
        received = consume("q")
        drain(connection, 1)
        failing = True

        def barrier():
            if failing:
                raise OSError("no room for results")

        channel.barrier = barrier
        received[0].ack()
        assert not channel.settle()
        assert store.queues()[0].claimed == 1
        failing = False
        assert channel.settle()
        assert store.queues()[0].claimed == 0

    def test_acks_that_could_not_be_settled_when_the_channel_closed_are_settled_later(
        self, connect, consume, store, eventually
    ):
        connection = connect()
        publish(connection, "q", 1)
        received = consume("q", connection=connection)
        drain(connection, 1)
        failing = True

        def barrier():
            if failing:
                raise OSError("no room for results")

        connection.default_channel.barrier = barrier
        received[0].ack()
        connection.close()
        assert store.queues()[0].claimed == 1, "its claim is kept, not given to somebody else"
        failing = False
        eventually(lambda: store.queues()[0].claimed == 0, claim="the keeper has settled it")
        eventually(lambda: not store.consumers(), claim="and unregistered it")
        assert store.queues()[0].ready == 0

    def test_an_ack_after_the_channel_has_closed_settles_nothing_and_says_so(self, connect, consume, store, heard):
        connection = connect()
        publish(connection, "q", 1)
        received = consume("q", connection=connection)
        drain(connection, 1)
        connection.close()
        received[0].ack()
        assert [event.operation for event in heard if isinstance(event, events.ClaimFenced)] == ["ack"]
        assert store.queues()[0].ready == 1


class TestConsumersWithoutAcks:
    def test_what_was_not_delivered_yet_is_still_there_after_closing(self, connect, consume, store):
        connection = connect()
        publish(connection, "q", 1, 2, 3)
        received = consume("q", no_ack=True, connection=connection)
        drain(connection, 1)
        connection.close()
        assert bodies(received) == [1]
        assert (store.queues()[0].ready, store.queues()[0].claimed) == (2, 0)

    def test_deleting_the_queue_right_after_a_delivery_fences_nothing(self, connection, channel, consume, heard):
        publish(connection, "replies", "pong")
        consume("replies", no_ack=True)
        drain(connection, 1)
        channel.after_reply_message_received("replies")
        connection.close()
        assert heard == []


class TestSuspects:
    @pytest.fixture
    def suspects(self, connection, store):
        """Two messages whose process died while both ran, and one that waits behind them."""
        publish(connection, "q", "a", "b")
        dead = store.register("dead", lease=15.0)
        receipts = [claim.receipt for claim in store.claim("q", dead, 2).claims]
        store.reap(dead, started=receipts)
        publish(connection, "q", "c")

    @pytest.mark.usefixtures("suspects")
    def test_a_suspect_runs_alone(self, connection, consume, heard):
        received = consume("q", prefetch=10)
        drain(connection, 1)
        nothing_comes(connection)
        assert bodies(received) == ["a"]
        assert received[0].claim.suspect
        assert [type(event) for event in heard] == [events.TaskIsolated]
        received[0].ack()
        drain(connection, 1)
        nothing_comes(connection)
        assert bodies(received) == ["a", "b"]
        received[1].ack()
        drain(connection, 1)
        assert bodies(received) == ["a", "b", "c"]

    def test_a_suspect_waits_until_what_runs_has_ended(self, connection, consume, store):
        publish(connection, "q", "runs")
        received = consume("q", prefetch=10)
        drain(connection, 1)
        publish(connection, "q", "suspect", "other")
        dead = store.register("dead", lease=15.0)
        receipts = [claim.receipt for claim in store.claim("q", dead, 2).claims]
        store.reap(dead, started=receipts)
        nothing_comes(connection)
        received[0].ack()
        drain(connection, 1)
        assert bodies(received) == ["runs", "suspect"]

    @pytest.mark.usefixtures("suspects")
    def test_others_may_run_what_waits_behind_a_suspect(self, connection, connect, consume):
        received = consume("q", prefetch=10)
        drain(connection, 1)
        other = connect()
        elsewhere = consume("q", prefetch=10, connection=other)
        drain(other, 1)
        assert bodies(received) == ["a"]
        assert bodies(elsewhere) == ["b"], "and it is alone there"
        assert other.default_channel.store.queues()[0].ready == 1

    @pytest.mark.usefixtures("suspects")
    def test_a_death_while_alone_counts(self, connection, channel, consume, store):
        consume("q", prefetch=10)
        drain(connection, 1)
        store.reap(channel.consumer, started=None)
        claim = store.claim("q", store.register("next", lease=15.0), 1).claims[0]
        assert (claim.crashes, claim.suspect) == (1, True)


class TestPullMode:
    def test_the_intake_gets_as_much_as_it_wants_and_nothing_is_delivered(self, connection, channel, consume):
        publish(connection, "q", *range(5))
        received = consume("q")
        channel.intake = Basket(3)
        channel.fetch()
        assert [delivery.claim.queue for delivery in channel.intake.deliveries] == ["q"] * 3
        assert received == []
        nothing_comes(connection)

    def test_a_delivery_crosses_from_any_thread_and_is_acked_like_any_other(self, connection, channel, consume, store):
        publish(connection, "q", "x")
        received = consume("q")
        channel.intake = Basket(1)
        channel.fetch()
        thread = threading.Thread(target=channel.deliver, args=(channel.intake.deliveries[0],))
        thread.start()
        thread.join()
        assert bodies(received) == ["x"]
        assert received[0].claim is channel.intake.deliveries[0].claim
        received[0].ack()
        channel.fetch()
        assert store.queues()[0].claimed == 0

    def test_what_is_given_back_can_be_claimed_by_others_at_once(self, connection, channel, consume, store):
        publish(connection, "q", 1, 2)
        consume("q")
        channel.intake = Basket(2)
        channel.fetch()
        channel.give_back(channel.intake.deliveries)
        assert store.queues()[0].ready == 2

    def test_a_fetch_that_comes_during_a_fetch_is_not_lost(self, connection, channel, consume):
        publish(connection, "q", *range(4))
        consume("q")
        basket = Basket(2)

        def accept(deliveries):
            basket.deliveries.extend(deliveries)
            basket.wanted = 4
            channel.fetch()

        basket.accept = accept
        channel.intake = basket
        channel.fetch()
        assert len(basket.deliveries) == 4

    def test_control_messages_are_delivered_all_the_same(self, connection, channel, consume):
        consume("q")
        notices = consume("notices", no_ack=True)
        publish(connection, "notices", "hello")
        channel.intake = Basket(0)
        drain(connection, 1)
        assert bodies(notices) == ["hello"]


class TestConsumers:
    def test_a_connection_that_only_publishes_is_no_consumer(self, connection, store):
        publish(connection, "q", 1)
        assert store.consumers() == []

    def test_a_consumer_is_registered_under_its_name_and_retired_at_the_end(self, connect, consume, store):
        connection = connect(consumer_name="s1@shop", run_table="/run/table")
        consume("q", connection=connection)
        connection.default_channel.fetch()
        info = store.consumers()[0]
        assert (info.name, info.pid, info.run_table) == ("s1@shop", os.getpid(), "/run/table")
        assert info.id == connection.default_channel.consumer
        connection.close()
        assert store.consumers() == []

    def test_one_that_was_declared_dead_registers_again_and_drops_what_it_held(
        self, connect, consume, store, eventually, heard
    ):
        connection = connect(lease=0.3)
        publish(connection, "q", "running", "waiting")
        received = consume("q", connection=connection)
        drain(connection, 1)
        before = connection.default_channel.consumer
        store.reap(before, started=())
        eventually(lambda: connection.default_channel.consumer != before, claim="it has registered again")
        received[0].ack()
        drain(connection, 2)
        assert bodies(received) == ["running", "running", "waiting"]
        assert all(message.claim.redelivered for message in received[1:])
        assert [event.operation for event in heard if isinstance(event, events.ClaimFenced)] == ["ack"]

    def test_its_own_queues_are_made_again_with_their_bindings(self, connect, store, eventually):
        connection = connect(lease=0.3, poll_interval=0.05)
        received = []
        queue = Queue("mine", auto_delete=True)
        consumer = connection.Consumer([queue], on_message=received.append, no_ack=True)
        consumer.consume()
        channel = connection.default_channel
        channel.exchange_declare("all", type="fanout")
        channel.queue_bind("mine", "all")
        store.reap(channel.consumer, started=())
        assert not store.queue_exists("mine")

        def is_back():
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=0.05)
            return store.queue_exists("mine") and store.bindings("all")

        eventually(is_back, claim="the queue is there and bound")

    def test_the_keeper_recovers_what_a_dead_process_held(self, url, connect, consume, store):
        if url.startswith("umbel-memory"):
            pytest.skip("a process's memory dies with it")
        publish(connect(), "q", "left behind")
        child = os.fork()
        if child == 0:
            dying = Connection(url)
            dying.Consumer([Queue("q")], on_message=lambda _: os.kill(os.getpid(), signal.SIGKILL)).consume()
            dying.drain_events(timeout=5)
            os._exit(0)
        os.waitpid(child, 0)
        assert store.queues()[0].claimed == 1
        connection = connect()
        received = consume("q", connection=connection)
        drain(connection, 1, timeout=3)
        assert bodies(received) == ["left behind"]

    def test_wrong_options_are_named(self, connect):
        with pytest.raises(ConfigurationError, match=r"\['lease'\]: expected a positive number, found 'long'"):
            connect(lease="long").default_channel  # noqa: B018 - opening it is the claim


class TestForks:
    @pytest.fixture(autouse=True)
    def _files_only(self, url):
        if url.startswith("umbel-memory"):
            pytest.skip("memory is not shared with a child")

    def test_a_child_publishes_through_what_it_inherits(self, connection, channel, store):
        publish(connection, "q", "parent")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                publish(connection, "q", "child")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store.size("q") == 2

    def test_a_child_that_closes_what_it_inherits_gives_nothing_of_its_parents_back(self, connection, consume, store):
        publish(connection, "q", "mine")
        received = consume("q")
        drain(connection, 1)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                connection.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store.queues()[0].claimed == 1
        assert len(store.consumers()) == 1
        received[0].ack()
        nothing_comes(connection)
        assert store.queues()[0].claimed == 0


class TestEventLoop:
    @pytest.fixture
    def hub(self):
        hub = Hub()
        yield hub
        hub.close()

    def test_messages_are_delivered_and_acks_make_room(self, connection, consume, hub, eventually):
        publish(connection, "q", *range(6))
        received = consume("q", prefetch=2)
        connection.register_with_event_loop(hub)
        eventually(lambda: hub.run_once() or len(received) == 2, claim="two are delivered")
        for _ in range(3):
            hub.run_once()
        assert len(received) == 2
        received[0].ack()
        eventually(lambda: hub.run_once() or len(received) == 3, claim="one more is delivered")

    def test_an_idle_loop_is_woken_by_a_publish(self, connection, connect, consume, hub):
        received = consume("q")
        connection.register_with_event_loop(hub)
        hub.run_once()
        other = connect()
        threading.Timer(0.2, publish, (other, "q", time.time())).start()
        deadline = time.monotonic() + 5
        while not received and time.monotonic() < deadline:
            hub.run_once()
        assert time.time() - bodies(received)[0] < 0.35

    def test_an_ack_from_another_thread_wakes_the_loop(self, connect, consume, hub):
        connection = connect(poll_interval=30.0)
        publish(connection, "q", "first", "second")
        received = consume("q", prefetch=1, connection=connection)
        connection.register_with_event_loop(hub)
        while not received:
            hub.run_once()
        started = time.monotonic()
        threading.Timer(0.1, received[0].ack).start()
        while len(received) < 2 and time.monotonic() - started < 5:
            hub.run_once()
        assert time.monotonic() - started < 0.5

    def test_a_delayed_message_comes_when_it_is_due_and_not_at_the_next_poll(self, connect, consume, hub):
        connection = connect(poll_interval=30.0)
        received = consume("q", connection=connection)
        connection.register_with_event_loop(hub)
        hub.run_once()
        due = time.time() + 0.4
        publish(connection, "q", "later", headers={"eta": datetime.fromtimestamp(due, tz=UTC).isoformat()})
        while not received and time.time() < due + 5:
            hub.run_once()
        assert -0.01 <= time.time() - due < 0.3

    def test_a_closed_connection_leaves_nothing_in_the_loop(self, connect, consume, hub):
        connection = connect()
        before = set(hub.on_tick)
        consume("q", connection=connection)
        connection.register_with_event_loop(hub)
        hub.run_once()
        readers = set(hub.readers)
        connection.register_with_event_loop(hub)
        assert set(hub.readers) == readers, "joining again does not join twice"
        connection.close()
        assert not hub.readers
        assert set(hub.on_tick) == before
        hub.run_once()

    def test_a_reset_loop_can_be_joined_again(self, connection, connect, consume, hub):
        consume("q")
        connection.register_with_event_loop(hub)
        hub.run_once()
        hub.reset()
        connection.close()
        again = connect()
        received = consume("q", connection=again)
        again.register_with_event_loop(hub)
        publish(again, "q", "hello")
        deadline = time.monotonic() + 5
        while not received and time.monotonic() < deadline:
            hub.run_once()
        assert bodies(received) == ["hello"]


def test_a_message_that_cannot_be_read_is_shown_with_its_error(connection, store):
    refused = []
    store.publish("q", [Envelope(task_id="1", task="t", head=b"\xff not json", body=b"raw")])
    connection.Consumer(
        [Queue("q")],
        callbacks=[lambda *_: pytest.fail("it is no message")],
        on_decode_error=lambda message, problem: refused.append((message, problem)),
    ).consume()
    connection.drain_events(timeout=2)
    message, problem = refused[0]
    assert "message head is not JSON" in str(problem)
    assert message.claim.envelope.body == b"raw"
    message.reject()
    nothing_comes(connection)
    assert store.count_dead(DeadLetterFilter()) == 1


def test_the_default_channel_is_ours(channel):
    assert isinstance(channel, Channel)


def test_a_closed_channel_asks_kombu_to_connect_again(connection, channel, store):
    producer = connection.Producer(channel)
    channel.close()
    with pytest.raises(connection.connection_errors, match="the channel is closed"):
        producer.publish(1, routing_key="q")
    connection.Producer().publish(1, routing_key="q", retry=True)
    assert store.size("q") == 1
