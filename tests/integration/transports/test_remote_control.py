"""Remote control, events and broadcasts across processes."""

from __future__ import annotations

import threading

from kombu.common import Broadcast


def test_events_reach_a_receiver_in_another_process(plain, start_worker, eventually):
    seen: list[str] = []
    stop = threading.Event()

    def receive():
        with plain.app.connection_for_read() as connection:
            receiver = plain.app.events.Receiver(connection, handlers={"*": lambda event: seen.append(event["type"])})
            for _ in receiver.itercapture(timeout=1, wakeup=False):
                if stop.is_set():
                    return

    def capture():
        while not stop.is_set():
            try:
                receive()
            except TimeoutError:
                continue

    thread = threading.Thread(target=capture)
    thread.start()
    try:
        start_worker("-E")
        eventually(lambda: "worker-online" in seen, claim="the worker says that it is there")
        plain.record.delay("watched")
        eventually(lambda: {"task-received", "task-started", "task-succeeded"} <= set(seen), claim="the task is seen")
    finally:
        stop.set()
        thread.join()


def test_a_running_task_is_shown_and_a_waiting_one_can_be_revoked(plain, start_worker, effects, eventually):
    worker = start_worker("-c", "1", pool="threads")
    plain.hold.delay("busy", 2)
    eventually(effects, claim="it runs")
    inspect = plain.app.control.inspect(timeout=5, destination=[worker.name])
    assert [task["args"] for task in inspect.active()[worker.name]] == [["busy", 2]]
    revoked = plain.record.apply_async(("never",), countdown=1)
    assert plain.app.control.revoke(revoked.id, reply=True, timeout=5, destination=[worker.name])
    plain.record.apply_async(("after",), countdown=1.5)
    eventually(lambda: any(line[0] == "after" for line in effects()), claim="the next one has run")
    assert not any(line[0] == "never" for line in effects())


def test_rate_limits_and_shutdown_reach_the_worker(plain, start_worker):
    worker = start_worker()
    reply = plain.app.control.rate_limit("plainapp.record", "5/m", reply=True, timeout=5, destination=[worker.name])
    assert reply == [{worker.name: {"ok": "new rate limit set successfully"}}]
    plain.app.control.shutdown(destination=[worker.name])
    assert worker.process.wait(15) == 0


def test_a_command_reaches_every_worker_and_their_mailboxes_go_with_them(plain, start_worker):
    first, second = start_worker(name="w1"), start_worker(name="w2")
    replies = plain.app.control.ping(timeout=5, limit=2)
    assert sorted(name for reply in replies for name in reply) == [first.name, second.name]
    with plain.app.connection_for_read() as connection:
        store = connection.default_channel.store
        mailbox = f"{first.name}.celery.pidbox"
        assert store.queue_exists(mailbox)
        assert first.stop() == 0
        assert not store.queue_exists(mailbox)
        assert [queue.queue for queue in store.queues()] == ["celery"], "no reply queue is left"


def test_consuming_from_another_queue_can_be_ordered_and_cancelled(plain, start_worker, effects, eventually):
    worker = start_worker()
    destination = {"reply": True, "timeout": 5, "destination": [worker.name]}
    plain.app.control.add_consumer("extra", **destination)
    plain.record.apply_async(("first",), queue="extra")
    eventually(lambda: len(effects()) == 1, claim="it has run")
    plain.app.control.cancel_consumer("extra", **destination)
    plain.record.apply_async(("second",), queue="extra")
    plain.record.delay("third")
    eventually(lambda: len(effects()) == 2, claim="the other queue is still consumed")
    assert [line[0] for line in effects()] == ["first", "third"]


BROADCASTING = """
from kombu.common import Broadcast
from plainapp import *
app.conf.task_queues = [Broadcast("everyone")]
"""


def test_a_broadcast_queue_runs_a_task_on_every_worker(plain, start_worker, effects, eventually, tmp_path, environment):
    (tmp_path / "broadcasting.py").write_text(BROADCASTING)
    path = f"{tmp_path}:{environment['PYTHONPATH']}"
    for name in ("w1", "w2"):
        start_worker("-Q", "everyone", name=name, application="broadcasting", PYTHONPATH=path)
    plain.app.conf.task_queues = [Broadcast("everyone")]
    plain.record.apply_async(("all",), exchange="everyone", routing_key="everyone")
    eventually(lambda: len(effects()) == 2, claim="it has run twice")
    assert len({line[1] for line in effects()}) == 2
