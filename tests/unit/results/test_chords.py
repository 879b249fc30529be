"""What follows from a complete chord when the broker or the body is at fault, and how headers nest."""

from __future__ import annotations

import pytest
from celery import chord, group

from umbel import events
from umbel.errors import StorageError
from umbel.results.chords import leaf_ids, nested_ids


@pytest.fixture
def app(make_app, tmp_path):
    """Its broker's folder is missing, until a test makes it."""
    import umbel.transports  # noqa: F401 - registers the transport

    return make_app(
        broker_url=f"sqlite:///{tmp_path}/broker/queues.db",
        broker_transport_options={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        task_publish_retry=False,
    )


@pytest.fixture
def total(app):
    @app.task(name="total", shared=False)
    def total(values):
        return sum(values)

    return total


@pytest.fixture
def one_part(app, backend, traced, total):
    """The only part of a chord as it ends, and the id of the chord's body."""
    body = total.s().set(task_id="body")
    backend.apply_chord(("g1", [app.AsyncResult("t1")]), body)
    backend.set_chord_size("g1", 1)
    return traced(group="g1", group_index=0, chord=dict(body))


def waiting(app):
    with app.connection_for_read() as connection:
        store = connection.default_channel.store
        return store.size("celery")


def test_while_the_broker_is_away_the_chord_stays_open_and_the_flush_says_so(app, backend, one_part, tmp_path):
    backend.start_batching()
    backend.mark_as_done("t1", 5, one_part)
    with pytest.raises(StorageError, match="the body of chord g1 could not be published"):
        backend.flush()
    assert backend.chords.progress("g1").state == "open"
    assert backend.get_state("body") == "PENDING"
    (tmp_path / "broker").mkdir()
    backend.flush()

    assert waiting(app) == 1
    assert backend.chords.progress("g1").state == "done"


def test_without_batching_the_error_is_raised_and_a_repeat_publishes(app, backend, one_part, tmp_path):
    with pytest.raises(StorageError):
        backend.mark_as_done("t1", 5, one_part)
    (tmp_path / "broker").mkdir()
    backend.mark_as_done("t1", 5, one_part)

    assert waiting(app) == 1


def test_a_body_that_cannot_be_sent_fails_with_the_reason_and_an_event(app, backend, traced, total, tmp_path, heard):
    (tmp_path / "broker").mkdir()
    body = total.s().set(task_id="body", serializer="nonsense")
    backend.apply_chord(("g1", [app.AsyncResult("t1")]), body)
    backend.set_chord_size("g1", 1)
    backend.mark_as_done("t1", 5, traced(group="g1", group_index=0, chord=dict(body)))

    assert "Callback error" in str(backend.get_result("body"))
    assert backend.chords.progress("g1").state == "done"
    failed = [event for event in heard if isinstance(event, events.ChordFailed)]
    assert [(event.group_id, event.body) for event in failed] == [("g1", "total")]


def test_the_body_says_who_its_parent_is_when_a_later_settlement_publishes_it(app, backend, one_part, tmp_path):
    (tmp_path / "broker").mkdir()
    backend.start_batching()
    backend.mark_as_done("t1", 5, one_part)
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
        message = queue.get(timeout=5)
        message.ack()
        queue.close()

    assert message.headers["id"] == "body"
    assert message.headers["parent_id"] == "t1"
    assert message.payload[0] == [[5]]


def test_a_generator_header_is_not_unrolled_by_the_announcement(app, backend, total, tmp_path):
    (tmp_path / "broker").mkdir()
    drawn = []

    def header():
        for number in range(100):
            drawn.append(number)
            yield total.s([number])

    announced = []
    original = backend.apply_chord
    backend.apply_chord = lambda *arguments, **options: (
        original(*arguments, **options),
        announced.append(len(drawn)),
    )
    chord(header(), total.s()).apply_async()
    del backend.apply_chord

    assert announced[0] < 5
    assert waiting(app) == 100


def test_leaves_and_shapes_of_nested_results(app):
    flat = [app.AsyncResult("a"), app.AsyncResult("b")]
    nested = [app.GroupResult("g", [app.AsyncResult("a"), app.GroupResult("h", [app.AsyncResult("b")])])]

    assert nested_ids(flat) is None
    assert nested_ids(nested) == [["a", ["b"]]]
    assert list(leaf_ids(nested[0])) == ["a", "b"]


def test_adding_a_group_to_a_chord_waits_for_each_of_its_tasks(app, backend, total):
    backend.add_to_chord("g1", group(total.s([1]), total.s([2])).freeze())

    assert backend.chords.progress("g1").extra == 2
