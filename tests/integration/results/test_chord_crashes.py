"""A chord's body starts once, however its parts' processes race or die."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from celery import chord

HERE = Path(__file__).parent
BODY = "body-of-g1"


@pytest.fixture
def announced(canvas):
    """A chord of two parts that only a test's processes return."""
    callback = canvas.total.s().set(task_id=BODY)
    canvas.app.backend.apply_chord(("g1", [canvas.app.AsyncResult(str(number)) for number in (1, 2)]), callback)
    canvas.app.backend.set_chord_size("g1", 2)
    return json.dumps(callback)


@pytest.fixture
def start(environment):
    """Return a part in a process of its own."""
    running = []

    def run(task_id, callback, *how, status="SUCCESS", broker=None):
        command = [sys.executable, str(HERE / "returns.py"), str(task_id), str(task_id), status, callback, *how]
        extra = {"CANVASAPP_BROKER": broker} if broker else {}
        process = subprocess.Popen(command, env={**environment, **extra}, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield run
    for process in running:
        with process:
            if process.poll() is None:
                process.kill()


def bodies(canvas):
    """How many messages of the body wait in the queue."""
    with canvas.app.connection_for_read() as connection:
        store = connection.default_channel.store
        return store.size("celery")


def test_the_process_of_the_last_part_dies_before_it_publishes_and_the_repeat_publishes(canvas, announced, start):
    assert start(1, announced).wait(30) == 0
    assert start(2, announced, "die_before_publish").wait(30) == -signal.SIGKILL
    assert bodies(canvas) == 0
    assert canvas.app.backend.chords.progress("g1").returned == 2, "the part itself was recorded"
    assert start(2, announced).wait(30) == 0

    assert bodies(canvas) == 1


def test_the_process_dies_after_it_has_published_and_the_repeat_adds_nothing(canvas, announced, start):
    assert start(1, announced).wait(30) == 0
    assert start(2, announced, "die_after_publish").wait(30) == -signal.SIGKILL
    assert canvas.app.backend.chords.progress("g1").state == "open", "it died before it could settle the chord"
    assert bodies(canvas) == 1
    assert start(2, announced).wait(30) == 0

    assert bodies(canvas) == 1
    assert canvas.app.backend.chords.progress("g1").state == "done"


def test_any_part_that_comes_again_completes_what_another_has_left(canvas, announced, start):
    assert start(1, announced).wait(30) == 0
    assert start(2, announced, "die_before_publish").wait(30) == -signal.SIGKILL
    assert start(1, announced).wait(30) == 0

    assert bodies(canvas) == 1


def test_processes_that_return_parts_at_once_publish_the_body_once_even_where_the_broker_drops_no_repeats(
    canvas, announced, start, tmp_path, eventually
):
    (tmp_path / "wire").mkdir()
    go = tmp_path / "go"
    processes = [start(1 + number % 2, announced, "wait", str(go), broker="filesystem://") for number in range(8)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    go.touch()
    assert [process.wait(30) for process in processes] == [0] * 8

    messages = list((tmp_path / "wire").iterdir())
    assert len(messages) == 1
    assert BODY in messages[0].read_text()


def test_a_failure_is_passed_on_once_and_a_replay_of_the_failed_part_publishes_the_body(
    canvas, announced, start, eventually
):
    assert start(1, announced, status="FAILURE").wait(30) == 0
    assert start(2, announced).wait(30) == 0
    backend = canvas.app.backend
    assert backend.get_state(BODY) == "FAILURE"
    assert str(backend.get_result(BODY)).startswith("Dependency 1 raised")
    first = backend.get_task_meta(BODY)["date_done"]
    assert start(2, announced).wait(30) == 0
    assert backend.get_task_meta(BODY)["date_done"] == first, "a repeat fails nothing again"
    assert bodies(canvas) == 0
    assert start(1, announced).wait(30) == 0

    assert bodies(canvas) == 1


def test_a_part_that_is_replayed_after_its_chord_failed_completes_the_chord(
    canvas, start_worker, tmp_path, effects, eventually
):
    """As an operator replays a dead letter: the same message again, with the next replay number."""
    start_worker()
    allowed = tmp_path / "allowed"
    result = chord(
        [canvas.add.s(1, 1).set(task_id="good"), canvas.fail_unless.s(str(allowed), 5).set(task_id="bad")],
        canvas.total.s(),
    ).apply_async()
    result.parent = None
    with pytest.raises(Exception, match="Dependency bad raised"):
        result.get(timeout=30)
    allowed.touch()
    group_id = canvas.app.backend.results.read(["bad"])["bad"].group_id
    body = canvas.total.s().set(task_id=result.id)
    canvas.fail_unless.apply_async(
        (str(allowed), 5), task_id="bad", group_id=group_id, group_index=1, chord=body, headers={"umbel_replay": 1}
    )
    eventually(lambda: canvas.app.backend.get_state(result.id) == "SUCCESS", within=30, claim="the body has run")
    assert canvas.app.AsyncResult(result.id).get(timeout=30) == 7
    assert effects() == [["body", result.id]]


@pytest.mark.parametrize("pool", ["threads", "prefork", "umbel"])
def test_a_chord_survives_the_death_of_its_worker(pool, canvas, start_worker, effects, eventually):
    first = start_worker(pool)
    result = chord(
        [*(canvas.add.s(number) for number in range(50)), canvas.hold.s(3), canvas.hold.s(3)], canvas.total.s()
    ).apply_async()
    eventually(lambda: ["held"] in effects(), within=30, claim="a part runs")
    first.kill()
    start_worker(pool, name="w2")

    assert result.get(timeout=60) == sum(range(50)) + 6
    assert effects().count(["body", result.id]) == 1
