"""Ordinary messages go straight to Celery's tracer, and nobody can tell, but by the time it takes."""

import pytest

from umbel.outcomes import Reason
from umbel.transports.base import DeadLetterFilter

WAYS = """
import os

from celery import signals
from celery.exceptions import Ignore, Reject
from celery.worker import state

from mill import STORE, note
from umbel import PermanentError, TemporaryError, Umbel

app = Umbel("ways", broker=STORE, backend=STORE)
app.conf.update(result_extended=True)
SEEN = (
    "args kwargs retries correlation_id reply_to root_id parent_id group group_index is_eager called_directly "
    "timelimit expires eta origin ignore_result replaced_task_nesting stamps stamped_headers argsrepr lang"
).split()

if os.environ.get("LONG"):
    signals.task_received.connect(lambda **_: None, weak=False)


def goes_short(task):
    # On the long way Celery knows the request before the body starts.
    return task.request.id not in state.requests


@app.task(bind=True, name="ways.show")
def show(self, *args, **kwargs):
    seen = {name: getattr(self.request, name, "missing") for name in SEEN}
    information = {key: self.request.delivery_info[key] for key in ("exchange", "priority", "redelivered")}
    headers = sorted(self.request.headers or {})
    return {"short": goes_short(self), "seen": seen, "delivery_info": information, "headers": headers}


@app.task(bind=True, name="ways.early", acks_late=False)
def early(self):
    return goes_short(self)


@app.task(name="ways.early_crash", acks_late=False)
def early_crash():
    note("start", "early_crash")
    os._exit(9)


@app.task(bind=True, name="ways.end")
def end(self, how):
    note(how, self.request.retries)
    if not goes_short(self):
        raise AssertionError("the long way")
    if how == "temporary" and not self.request.retries:
        raise TemporaryError("once more")
    if how == "permanent":
        raise PermanentError("never")
    if how == "value":
        raise ValueError("unexpected")
    if how == "ignore":
        raise Ignore()
    if how == "reject":
        raise Reject("no", requeue=False)
    if how == "exit":
        raise SystemExit(3)
    if how == "unstorable":
        return object()
    return how


@app.task(name="ways.double")
def double(value):
    return value * 2
"""


@pytest.fixture
def ways(mill):
    (mill.folder / "ways.py").write_text(WAYS)
    return mill


def send(mill, task, *args, **options):
    return mill.app.send_task(f"ways.{task}", args, **options)


def test_a_body_sees_the_same_request_on_both_ways(ways):
    ways.start("--processes", "1", "--threads", "1", "-Q", "short", app="ways:app")
    ways.start("--processes", "1", "--threads", "1", "-Q", "long", app="ways:app", LONG="1")
    options = {"kwargs": {"key": [1, {"two": None}]}, "priority": 3, "headers": {"tenant": "acme"}, "time_limit": 60}
    # The types of its headers are admitted once the long way has looked at them.
    for _ in range(2):
        short = ways.result(send(ways, "show", 1, "zwei", queue="short", correlation_id="c", **options))
    long = ways.result(send(ways, "show", 1, "zwei", queue="long", correlation_id="c", **options))
    assert (short.pop("short"), long.pop("short")) == (True, False)
    for found in (short, long):
        assert found["seen"].pop("root_id")
        found["seen"].pop("origin")
        found["seen"].pop("reply_to")
        found["delivery_info"].pop("exchange")
    assert short == long


def test_what_does_not_succeed_ends_as_on_the_long_way(ways):
    ways.start("--processes", "1", "--threads", "1", app="ways:app")
    ways.result(send(ways, "end", "first"))  # its types are not known yet: the long way
    kinds = ("permanent", "value", "reject", "exit", "unstorable")
    for how in kinds:
        ways.until(send(ways, "end", how).ready, claim=f"{how} has ended")
    ignored = send(ways, "end", "ignore")
    assert ways.result(send(ways, "end", "fine")) == "fine"
    ways.settled()
    letters = ways.store.list_dead(DeadLetterFilter())
    assert sorted(letter.reason for letter in letters if letter.envelope.task == "ways.end") == sorted(
        [Reason.FAILED, Reason.PERMANENT, Reason.FAILED, Reason.REJECTED, Reason.FAILED, Reason.FAILED]
    )
    assert not ignored.ready()


def test_a_retry_comes_back_and_callbacks_are_published(ways):
    ways.start("--processes", "1", "--threads", "1", app="ways:app")
    ways.until(send(ways, "end", "first").ready, claim="the types are known")
    assert ways.result(send(ways, "double", 2)) == 4
    linked = send(ways, "double", 3, link=ways.app.signature("ways.double"))
    assert ways.result(linked) == 6
    ways.until(lambda: len(linked.children or []) == 1 and linked.children[0].ready(), claim="the callback has run")
    assert linked.children[0].result == 12


def test_an_early_ack_takes_the_long_way(ways):
    ways.start("--processes", "1", "--threads", "1", app="ways:app")
    assert [ways.result(send(ways, "early")) for _ in range(2)] == [False, False]


def test_an_early_acked_task_that_kills_its_process_does_not_run_again(ways):
    ways.start("--processes", "1", "--threads", "1", app="ways:app")
    send(ways, "early_crash")
    ways.started("early_crash")
    assert ways.result(send(ways, "double", 4)) == 8
    ways.settled()
    assert ways.labels().count("early_crash") == 1


def test_celery_counts_what_went_the_short_way(ways):
    ways.start("--processes", "1", "--threads", "1", app="ways:app")
    for _ in range(5):
        ways.result(send(ways, "double", 1))
    inspect = ways.app.control.inspect(timeout=5, limit=1)

    def counted():
        return [node["total"] for node in (inspect.stats() or {}).values()] == [{"ways.double": 5}]

    ways.until(counted, claim="five are counted")
