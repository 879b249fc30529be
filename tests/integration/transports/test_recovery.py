"""What happens to messages when their worker dies."""

from __future__ import annotations

import time

from umbel.outcomes import Reason
from umbel.transports.base import DeadLetterFilter


def words(lines):
    return [line[0] for line in lines]


def test_a_task_of_a_killed_worker_runs_again_elsewhere_within_two_seconds(plain, start_worker, effects, eventually):
    first = start_worker(name="w1")
    second = start_worker(name="w2")
    plain.hold.delay("survivor", 60)
    eventually(effects, claim="it runs")
    owner = first if int(effects()[0][1]) == first.process.pid else second
    other = second if owner is first else first
    owner.kill()
    killed = time.monotonic()
    eventually(lambda: len(effects()) == 2, within=5, claim="it runs again")

    assert time.monotonic() - killed < 2.5
    assert words(effects()) == ["survivor", "survivor"]
    assert int(effects()[1][1]) == other.process.pid


def test_what_a_killed_worker_had_claimed_comes_back_marked_as_redelivered(plain, start_worker, effects, eventually):
    plain.die_once.delay("killer")
    plain.record_delivery.delay()
    plain.record.delay("neighbour")
    worker = start_worker("--prefetch-multiplier", "10", wait=False)
    assert worker.process.wait(30) != 0
    assert words(effects()) == ["killer"]
    start_worker("--prefetch-multiplier", "10", name="w2")
    eventually(lambda: len(effects()) == 4, claim="all three have run")

    assert sorted(words(effects())) == ["delivery", "killer", "killer", "neighbour"]
    assert ["delivery", "True", "5", "celery"] in effects()


def test_a_killed_workers_mailbox_is_gone_and_the_next_of_the_same_name_answers(plain, start_worker, eventually):
    worker = start_worker()
    worker.kill()
    again = start_worker(name="w1")
    assert plain.app.control.inspect(timeout=5, destination=[again.name]).ping() == {again.name: {"ok": "pong"}}


def test_a_task_that_kills_its_prefork_child_is_not_lost(plain, start_worker, effects, eventually):
    start_worker("-c", "1", pool="prefork")
    plain.die_once.delay("victim")
    eventually(lambda: words(effects()) == ["victim", "victim"], claim="it has run again")


def test_a_rejected_message_is_a_dead_letter_and_can_be_replayed(plain, start_worker, effects, eventually):
    start_worker()
    result = plain.refuse.delay()
    with plain.app.connection_for_read() as connection:
        store = connection.default_channel.store
        eventually(lambda: store.count_dead(DeadLetterFilter()) == 1, claim="it is a dead letter")
        letter = store.list_dead(DeadLetterFilter())[0]
        assert (letter.reason, letter.envelope.task_id) == (Reason.REJECTED, result.id)
        assert letter.error["error_code"] == "MESSAGE_REJECTED"
        assert store.replay([letter.id]) == {letter.id: result.id}
        eventually(lambda: len(effects()) == 2, claim="the replay has run")


def test_a_first_delivery_is_not_marked_as_redelivered(plain, start_worker, effects, eventually):
    plain.record_delivery.apply_async(priority=7)
    start_worker()
    eventually(lambda: effects() == [["delivery", "False", "7", "celery"]], claim="it has run")


def test_a_worker_whose_file_was_moved_away_connects_to_the_new_one(plain, start_worker, effects, eventually, tmp_path):
    worker = start_worker()
    plain.record.delay("before")
    eventually(lambda: words(effects()) == ["before"], claim="it works")
    (tmp_path / "backup").mkdir()
    for path in tmp_path.glob("broker.db*"):
        if path.is_file():
            path.rename(tmp_path / "backup" / path.name)
    eventually(lambda: "was moved, removed or replaced" in worker.text, claim="the worker has noticed")
    plain.record.delay("after")
    eventually(lambda: words(effects()) == ["before", "after"], claim="it works again")
    assert "Connection to broker lost" in worker.text
