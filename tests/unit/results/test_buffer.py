"""The buffer loses nothing, whatever fails and whoever flushes."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.errors import StorageError
from umbel.results.buffer import ResultBuffer
from umbel.results.records import ChordPart, ResultRow


def row(task_id, status="SUCCESS", result="1"):
    return ResultRow(task_id, status, result, None, None, None, None, None, 0.0, None)


def part(task_id):
    return ChordPart("g", task_id, 0, "SUCCESS", "1", callback=None)


def in_words(bad, problem):
    return bad._replace(status="FAILURE", result=repr(problem))


class Sink:
    """A store that keeps what it is given, and fails when it is told to."""

    def __init__(self):
        self.rows = []
        self.completed = []
        self.broken = False
        self.broker_down = False

    def write(self, rows, parts):
        if self.broken:
            raise StorageError("the disk is away")
        self.rows.extend(rows)
        return parts

    def complete(self, part):
        if self.broker_down:
            raise StorageError("the broker is away")
        self.completed.append(part.task_id)


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def buffer(sink):
    return ResultBuffer(sink.write, sink.complete, in_words)


def test_a_flush_writes_everything_once(buffer, sink):
    buffer.add(row("a"))
    buffer.add(row("b"))
    buffer.flush()
    buffer.flush()

    assert [item.task_id for item in sink.rows] == ["a", "b"]
    assert len(buffer) == 0


def test_a_failed_flush_raises_and_keeps_what_it_could_not_write(buffer, sink):
    buffer.add(row("a"))
    buffer.add_part(part("a"))
    sink.broken = True
    with pytest.raises(StorageError, match="the disk is away"):
        buffer.flush()
    assert buffer.get("a") == row("a")
    buffer.add(row("b"))
    sink.broken = False
    buffer.flush()

    assert {item.task_id for item in sink.rows} == {"a", "b"}
    assert sink.completed == ["a"]


def test_a_chord_that_could_not_be_completed_is_tried_again_but_its_results_are_not_written_twice(buffer, sink):
    buffer.add(row("a"))
    buffer.add_part(part("a"))
    buffer.add_part(part("b"))
    sink.broker_down = True
    with pytest.raises(StorageError, match="the broker is away"):
        buffer.flush()
    sink.broker_down = False
    buffer.flush()

    assert [item.task_id for item in sink.rows] == ["a"]
    assert sink.completed == ["a", "b"]


def test_what_is_being_written_can_still_be_read(buffer, sink):
    seen = []
    sink.write = None
    buffer = ResultBuffer(lambda rows, parts: seen.append(buffer.get("a")) or [], sink.complete, in_words)
    buffer.add(row("a"))
    buffer.flush()

    assert seen == [row("a")]
    assert buffer.get("a") is None


def test_a_flush_that_returns_has_stored_what_another_thread_was_flushing(sink):
    entered, go_on, order = threading.Event(), threading.Event(), []

    def write(rows, parts):
        entered.set()
        assert go_on.wait(10)
        order.append("written")
        return []

    buffer = ResultBuffer(write, sink.complete, in_words)
    buffer.add(row("a"))
    first = threading.Thread(target=buffer.flush)
    first.start()
    assert entered.wait(10)

    def second_flush():
        buffer.flush()
        order.append("second flush returned")

    second = threading.Thread(target=second_flush)
    second.start()
    second.join(0.1)
    assert order == [], "the second flush waits for the first"
    go_on.set()
    first.join(10)
    second.join(10)

    assert order == ["written", "second flush returned"]


def test_a_completion_may_store_and_flush_itself(sink):
    def complete(ripe):
        buffer.add(row("body"))
        buffer.flush()

    buffer = ResultBuffer(sink.write, complete, in_words)
    buffer.add_part(part("a"))
    buffer.flush()

    assert [item.task_id for item in sink.rows] == ["body"]


def test_a_forked_child_starts_empty_and_inactive(file):
    from celery import Celery

    app = Celery("forked", broker="memory://", backend=f"sqlite:///{file}", set_as_current=False)
    app.backend.start_batching()
    from celery.app.task import Context

    app.backend.store_result("a", 1, "SUCCESS", request=Context({"id": "a"}))
    child = os.fork()
    if child == 0:
        buffer = app.backend._buffer
        os._exit(0 if len(buffer) == 0 and not buffer.active else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(app.backend._buffer) == 1, "the parent still has what waits"
    app.backend.close()


STATUSES = st.sampled_from(["SUCCESS", "FAILURE", "REVOKED", "STARTED", "RETRY"])


@given(st.lists(STATUSES, min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_a_buffer_keeps_of_one_task_what_the_store_would_have_kept(statuses, flushes):
    """The same rule stands in SQL; here the order of flushes and failures must not matter to it."""
    expected = None
    sink = Sink()
    kept = {}

    def write(rows, parts):
        for item in rows:
            kept[item.task_id] = strongest(kept.get(item.task_id), item)
        return []

    buffer = ResultBuffer(write, sink.complete, in_words)
    for number, status in enumerate(statuses):
        item = row("a", status, str(number))
        expected = strongest(expected, item)
        buffer.add(item)
        if number in flushes:
            buffer.flush()
    buffer.flush()

    assert kept["a"] == expected


def strongest(held, new):
    final = ("SUCCESS", "FAILURE", "REVOKED")
    if held is None or held.status not in final:
        return new
    if held.status == "SUCCESS":
        return held
    return new if new.status in final else held


def test_a_row_that_no_database_takes_is_stored_in_words_and_holds_nobody_up(sink):
    def write(rows, parts):
        for item in rows:
            item.result.encode()  # as a database does, which takes no lone surrogate
        return sink.write(rows, parts)

    buffer = ResultBuffer(write, sink.complete, in_words)
    for item in (row("a"), row("b", result="\udcff"), row("c")):
        buffer.add(item)
    buffer.add_part(part("p"))
    buffer.flush()

    assert [(item.task_id, item.status) for item in sink.rows] == [("a", "SUCCESS"), ("b", "FAILURE"), ("c", "SUCCESS")]
    assert sink.completed == ["p"]
    assert len(buffer) == 0
