"""The backend as Celery's result objects and its tracer use it."""

from __future__ import annotations

import json
import pickle
import sqlite3
import threading
import time
from decimal import Decimal

import pytest
from celery import states
from celery.exceptions import Reject
from celery.exceptions import TimeoutError as ResultTimeoutError
from celery.result import GroupResult
from kombu.exceptions import EncodeError

from umbel.errors import ConfigurationError, PermanentError, StorageError, StorageLockedError
from umbel.results.sql import SqlBackend

# What is stored comes back --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, True, 42, 1.5, "zażółć\x00", [1, [2]], {"a": {"b": None}}, Decimal("1.10"), "x" * 2_000_000]
)
def test_a_value_comes_back_as_celerys_json_gives_it(app, backend, other, traced, value):
    backend.mark_as_done("t1", value, traced())

    assert other.get_result("t1") == value
    assert app.AsyncResult("t1").get(timeout=1) == value


def test_a_scalar_is_stored_exactly_as_the_serializer_writes_it(backend, traced):
    for number, value in enumerate([None, False, 7, -0.0, 1e300, 'quote " and \u2028']):
        backend.mark_as_done(f"t{number}", value, traced())
        stored = backend.results.read([f"t{number}"])[f"t{number}"].result
        assert stored == backend.encode(value)


def test_metadata_has_celerys_fields(app, backend, traced):
    request = traced(group="g1", parent_id="p1")
    request.children.append(app.AsyncResult("child"))
    backend.mark_as_done("t1", 1, request)
    meta = backend.get_task_meta("t1")

    assert meta["status"] == "SUCCESS"
    assert meta["children"] == [[["child", None], None]]
    assert meta["task_id"] == "t1"
    assert meta["group_id"] == "g1"
    assert meta["parent_id"] == "p1"
    assert "name" not in meta
    result = app.AsyncResult("t1")
    assert result.date_done.utcoffset().total_seconds() == 0
    assert [child.id for child in result.children] == ["child"]


def test_an_unknown_task_is_pending(app, backend):
    assert backend.get_task_meta("nobody") == {"status": "PENDING", "result": None}
    assert not app.AsyncResult("nobody").exists()


def test_extended_results_have_the_request_in_them(make_app, traced):
    app = make_app(result_extended=True)
    request = traced(
        args=[1], kwargs={"a": 2}, hostname="w1", retries=3, delivery_info={"routing_key": "critical"},
        stamps={"tenant": "acme"}, stamped_headers=["tenant"],
    )  # fmt: skip
    app.backend.mark_as_done("t1", 1, request)
    result = app.AsyncResult("t1")

    assert (result.name, result.args, result.kwargs) == ("shop.charge", [1], {"a": 2})
    assert (result.worker, result.retries, result.queue) == ("w1", 3, "critical")
    assert app.backend.get_task_meta("t1")["tenant"] == "acme"


def test_a_failure_comes_back_as_its_exception_with_its_traceback(app, backend, traced):
    backend.mark_as_failure("t1", ValueError("no", 1), "Traceback…", request=traced())
    result = app.AsyncResult("t1")

    assert result.state == "FAILURE"
    assert result.traceback == "Traceback…"
    with pytest.raises(ValueError, match="no"):
        result.get(timeout=1)


def test_an_error_about_a_name_that_is_not_utf8_is_stored_and_holds_up_no_other(app, backend, traced):
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    backend.start_batching()
    backend.mark_as_done("t1", 1, traced())
    backend.mark_as_failure("t2", ValueError(name), f"ValueError: {name}", request=traced("t2"))
    backend.flush()

    assert app.AsyncResult("t1").get(timeout=1) == 1
    assert app.AsyncResult("t2").result.args == (name,)
    assert app.AsyncResult("t2").traceback == r"ValueError: caf\udce9.csv"


def test_an_error_of_ours_comes_back_with_its_contract(app, backend, traced):
    error = PermanentError("card refused", hint="ask for another", error_code="CARD_REFUSED", card=7)
    backend.mark_as_failure("t1", error, "", request=traced())
    back = app.AsyncResult("t1").result

    assert type(back) is PermanentError
    assert back.contract() == error.contract()


def test_a_result_that_cannot_be_encoded_fails_where_the_tracer_can_say_so(backend, traced):
    for batching in (False, True):
        if batching:
            backend.start_batching()
        with pytest.raises(EncodeError):
            backend.mark_as_done("t1", object(), traced())
    with pytest.raises(EncodeError):
        backend.mark_as_done("t2", object(), traced("t2", group="g", chord={"task": "x"}, ignore_result=True))

    assert backend.get_state("t1") == "PENDING"
    assert backend.chords.progress("g") is None


def test_retries_and_starts_are_seen_until_the_task_is_ready(backend, other, traced):
    backend.mark_as_started("t1", pid=7)
    assert other.get_task_meta("t1")["result"] == {"pid": 7}
    backend.mark_as_retry("t1", ValueError("later"), "tb", request=traced())
    assert other.get_state("t1") == "RETRY"
    backend.mark_as_done("t1", 1, traced())
    backend.mark_as_started("t1")
    backend.mark_as_failure("t1", ValueError("late"), "tb", request=traced())

    assert other.get_task_meta("t1")["result"] == 1


def test_a_forgotten_result_is_gone(app, backend, traced):
    backend.mark_as_done("t1", 1, traced())
    app.AsyncResult("t1").forget()

    assert backend.get_state("t1") == "PENDING"


def test_groups_are_saved_restored_and_deleted(app, backend):
    group = app.GroupResult("g1", [app.AsyncResult("a"), app.GroupResult("g2", [app.AsyncResult("b")])])
    group.save()
    restored = GroupResult.restore("g1", app=app)
    assert restored.as_tuple() == group.as_tuple()
    group.delete()

    assert GroupResult.restore("g1", app=app) is None


def test_compressed_and_pickled_results_come_back(make_app, traced):
    compressed = make_app(result_compression="gzip").backend
    compressed.mark_as_done("t1", ["x" * 1_000], traced())
    assert compressed.get_result("t1") == ["x" * 1_000]
    assert len(compressed.results.read(["t1"])["t1"].result) < 200
    pickled = make_app(result_serializer="pickle", accept_content=["pickle"]).backend
    pickled.mark_as_done("t2", {1, 2}, traced("t2"))
    pickled.mark_as_failure("t3", KeyError("k"), "", request=traced("t3"))

    assert pickled.get_result("t2") == {1, 2}
    assert isinstance(pickled.get_result("t3"), KeyError)


def test_a_result_object_survives_pickling(app, backend, traced):
    backend.mark_as_done("t1", 1, traced())
    app.set_current()
    copy = pickle.loads(pickle.dumps(app.AsyncResult("t1")))

    assert copy.get(timeout=1) == 1
    copy.backend.close()


# Expiry ---------------------------------------------------------------------------------------------


@pytest.fixture
def timed(file, make_app, clock):
    app = make_app(result_expires=100)
    backend = SqlBackend(app, url=f"sqlite:///{file}", clock=clock)
    yield backend
    backend.close()


def test_expired_results_are_neither_read_nor_kept(timed, traced, clock, file):
    timed.mark_as_done("t1", 1, traced())
    timed.save_group("g1", timed.app.GroupResult("g1", []))
    clock.advance(99)
    assert timed.get_state("t1") == "SUCCESS"
    clock.advance(1)
    assert timed.get_state("t1") == "PENDING"
    assert timed.get_group_meta("g1") is None
    timed.cleanup()
    with sqlite3.connect(file) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("umbel_results", "umbel_result_groups")
        ]
    connection.close()

    assert counts == [0, 0]


def test_cleanup_deletes_more_than_one_batch(timed, traced, clock):
    timed.start_batching()
    for number in range(2_500):
        timed.mark_as_done(str(number), 1, traced())
    timed.flush()
    clock.advance(100)
    timed.cleanup()

    assert timed._database.fetch("SELECT count(*) FROM umbel_results") == [(0,)]


# Batching -------------------------------------------------------------------------------------------


def test_without_batching_every_result_is_stored_at_once(backend, other, traced):
    backend.mark_as_done("t1", 1, traced())

    assert other.get_state("t1") == "SUCCESS"


def test_batched_results_are_read_here_at_once_and_elsewhere_after_the_flush(app, backend, other, traced):
    backend.start_batching()
    backend.mark_as_done("t1", 1, traced())
    backend.mark_as_failure("t2", ValueError("no"), "tb", request=traced("t2"))
    assert (backend.get_state("t1"), backend.get_state("t2")) == ("SUCCESS", "FAILURE")
    assert app.AsyncResult("t1").get(timeout=1) == 1
    assert (other.get_state("t1"), other.get_state("t2")) == ("PENDING", "PENDING")
    backend.flush()

    assert (other.get_state("t1"), other.get_state("t2")) == ("SUCCESS", "FAILURE")


@pytest.mark.parametrize(("state", "result"), [("STARTED", {"pid": 1}), ("RETRY", ValueError("later")), ("MINE", 7)])
def test_states_that_are_not_final_take_what_waits_along_at_once(backend, other, traced, state, result):
    backend.start_batching()
    backend.mark_as_done("t1", 1, traced())
    backend.store_result("t2", result, state, request=traced("t2"))

    assert other.get_state("t2") == state
    assert other.get_state("t1") == "SUCCESS"


def test_a_failure_that_is_recorded_outside_the_tracer_is_stored_at_once(backend, other):
    class WorkersRequest:
        id = "t1"
        chord = None
        errbacks = None

    backend.start_batching()
    backend.mark_as_failure("t1", ValueError("its process died"), None, request=WorkersRequest())
    backend.mark_as_failure("t2", ValueError("no request"), None)

    assert other.get_state("t1") == "FAILURE"
    assert other.get_state("t2") == "FAILURE"


def test_a_buffered_failure_does_not_hide_a_success_that_is_stored(backend, other, traced):
    backend.start_batching()
    backend.mark_as_failure("t1", ValueError("a zombie's"), "", request=traced())
    other.mark_as_done("t1", 1, traced())

    assert backend.get_state("t1") == "SUCCESS"
    backend.flush()
    assert other.get_state("t1") == "SUCCESS"


def test_forgetting_drops_what_waits_too(backend, other, traced):
    backend.start_batching()
    backend.mark_as_done("t1", 1, traced())
    backend.forget("t1")
    backend.flush()

    assert other.get_state("t1") == "PENDING"


def test_many_threads_lose_nothing(backend, other, traced):
    backend.start_batching()
    done = threading.Event()

    def store(name):
        for number in range(500):
            backend.mark_as_done(f"{name}-{number}", number, traced(f"{name}-{number}"))

    def flush():
        while not done.is_set():
            backend.flush()

    flusher = threading.Thread(target=flush)
    writers = [threading.Thread(target=store, args=(name,)) for name in "abcd"]
    for thread in (flusher, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    flusher.join(60)
    backend.flush()

    ids = [f"{name}-{number}" for name in "abcd" for number in range(500)]
    assert len(other.look(ids)) == 2_000


# When the database cannot be written ----------------------------------------------------------------


@pytest.fixture
def locked(file, backend):
    """Hold the file's write lock from another connection."""
    backend.look(["t0"])
    holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    yield holder
    holder.close()


@pytest.fixture
def app(make_app):
    return make_app(result_backend_transport_options={"busy_timeout": 0.05})


def test_a_flush_on_a_locked_file_raises_and_the_next_one_stores_everything(backend, other, traced, locked):
    backend.start_batching()
    backend.mark_as_done("t1", 1, traced())
    with pytest.raises(StorageLockedError):
        backend.flush()
    assert backend.get_state("t1") == "SUCCESS", "it is still read here"
    backend.mark_as_done("t2", 2, traced("t2"))
    locked.execute("ROLLBACK")
    backend.flush()

    assert set(other.look(["t1", "t2"])) == {"t1", "t2"}


def test_while_batching_what_should_be_stored_at_once_waits_for_the_settlement_instead_of_failing_the_task(
    backend, other, traced, locked
):
    backend.start_batching()
    backend.store_result("t1", {"pid": 1}, states.STARTED, request=traced())
    backend.mark_as_failure("t2", ValueError("its process died"), None)
    with pytest.raises(StorageLockedError):
        backend.flush()
    locked.execute("ROLLBACK")
    backend.flush()

    assert (other.get_state("t1"), other.get_state("t2")) == ("STARTED", "FAILURE")


def test_without_batching_a_task_whose_result_cannot_be_stored_goes_back_to_the_broker(app, backend, traced, locked):
    @app.task(name="shop.charge")
    def charge():
        return 1

    with pytest.raises(StorageLockedError):
        backend.mark_as_done("t1", 1, traced())
    from celery.app.trace import build_tracer

    tracer = build_tracer("shop.charge", app.tasks["shop.charge"], app=app)
    with pytest.raises(Reject) as rejected:
        tracer("t1", (), {}, {"id": "t1", "task": "shop.charge", "delivery_info": {}})

    assert rejected.value.requeue is True
    assert isinstance(rejected.value.reason, StorageError)


def test_always_retry_waits_for_the_file(make_app, traced, locked, other):
    app = make_app(
        result_backend_always_retry=True,
        result_backend_transport_options={"busy_timeout": 0.01},
        result_backend_base_sleep_between_retries_ms=5,
    )
    release = threading.Timer(0.3, lambda: locked.execute("ROLLBACK"))
    release.start()
    began = time.monotonic()
    app.backend.mark_as_done("t1", 1, traced())
    release.join()

    assert time.monotonic() - began >= 0.25
    assert other.get_state("t1") == "SUCCESS"


# Waiting --------------------------------------------------------------------------------------------


class Queries:
    """Counts the reading statements of a backend."""

    def __init__(self, backend):
        self.count = 0
        self._fetch = backend._database.fetch
        backend._database.fetch = self

    def __call__(self, *arguments):
        self.count += 1
        return self._fetch(*arguments)


def test_waiting_for_a_thousand_results_costs_one_query_a_look(app, backend, other, traced):
    ids = [str(number) for number in range(1_000)]
    for task_id in ids[:999]:
        backend.mark_as_done(task_id, int(task_id), traced(task_id))
    queries = Queries(other)
    results = other.app.GroupResult("g", [other.app.AsyncResult(task_id) for task_id in ids])
    late = threading.Timer(0.2, backend.mark_as_done, ("999", 999, traced("999")))
    late.start()
    began = time.monotonic()
    assert results.get(timeout=20) == list(range(1_000))
    waited = time.monotonic() - began
    late.join()

    assert queries.count <= 2 + waited / 0.001
    assert queries.count < 200


def test_a_group_fails_with_the_failure_of_a_member(app, backend, traced):
    backend.mark_as_done("a", 1, traced("a"))
    backend.mark_as_failure("b", ValueError("no"), "", request=traced("b"))
    results = app.GroupResult("g", [app.AsyncResult("a"), app.AsyncResult("b")])
    with pytest.raises(ValueError, match="no"):
        results.get(timeout=1)

    values = results.get(timeout=1, propagate=False)
    assert values[0] == 1
    assert isinstance(values[1], ValueError)


def test_a_wait_times_out(app):
    began = time.monotonic()
    with pytest.raises(ResultTimeoutError):
        app.AsyncResult("nobody").get(timeout=0.1)
    with pytest.raises(ResultTimeoutError):
        app.GroupResult("g", [app.AsyncResult("nobody")]).get(timeout=0.1)

    assert 0.2 <= time.monotonic() - began < 5


def test_callbacks_of_a_wait_are_called(app, backend, traced):
    backend.mark_as_done("t1", 1, traced())
    seen, messages = [], []
    app.AsyncResult("t1").get(
        timeout=1, callback=lambda task_id, value: seen.append((task_id, value)), on_message=messages.append
    )

    assert seen == [("t1", 1)]
    assert [meta["status"] for meta in messages] == ["SUCCESS"]


def test_waiting_starts_no_thread(app, backend, traced):
    before = threading.active_count()
    backend.mark_as_done("t1", 1, traced())
    app.AsyncResult("t1").get(timeout=1)

    assert threading.active_count() == before


# Settings -------------------------------------------------------------------------------------------


def test_an_unknown_option_is_refused_by_name(make_app):
    app = make_app(result_backend_transport_options={"busy_timeot": 1})
    with pytest.raises(ConfigurationError, match="busy_timeout and synchronous, found busy_timeot"):
        _ = app.backend
    app.conf.result_backend_transport_options = {}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_an_url_without_a_file_is_refused(app, url):
    with pytest.raises(ConfigurationError, match="sqlite:///FILE"):
        SqlBackend(app, url=url)


def test_the_entry_point_names_this_backend(app):
    assert type(app.backend) is SqlBackend
    assert app.backend.as_uri().startswith("sqlite:///")
    assert json.loads(app.backend.encode({"a": 1})) == {"a": 1}
