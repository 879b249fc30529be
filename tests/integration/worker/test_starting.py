"""What stops a worker from starting is said once, with its remedy; what a worker survives while it runs."""

import sqlite3
import time

import pytest

PLAIN = """
import os
from celery import Celery
store = f"sqlite:///{os.environ['MILL']}/mill.db"
app = Celery("plain", broker=store, backend=store)

@app.task(name="mill.double")
def double(number):
    return 2 * number
"""


def fails(mill, *words, code, says, app="mill:app", **variables):
    """Start a worker that cannot start, and return what it said."""
    started = time.monotonic()
    worker = mill.start("--processes", "1", *words, app=app, wait=False, **variables)
    assert worker.wait() == code, worker.log
    assert time.monotonic() - started < 15
    assert "Traceback" not in worker.log
    assert worker.log.count("error: ") == 1, worker.log
    for text in says:
        assert text in worker.log
    return worker.log


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("nowhere:app", ["nowhere"]),
        ("mill:nothing", ["nothing"]),
        ("mill:hoard", ["list"]),
        ("broken:app", ["SyntaxError", "broken.py"]),
        ("raising:app", ["ZeroDivisionError"]),
        ("leaving:app", ["ended before it was done"]),
    ],
)
def test_an_application_that_cannot_be_loaded_is_one_clear_error(mill, app, says):
    (mill.folder / "broken.py").write_text("def broken(:\n")
    (mill.folder / "raising.py").write_text("1 / 0\n")
    (mill.folder / "leaving.py").write_text("import os\nos._exit(9)\n")
    assert "hint: " in fails(mill, code=3, says=[f"-A {app}" if "leaving" not in app else app, *says], app=app)


def test_a_broker_of_one_process_is_refused(mill):
    (mill.folder / "inside.py").write_text("from umbel import Umbel\napp = Umbel('inside', broker='memory://')\n")
    assert "hint: use sqlite:///" in fails(mill, code=3, says=["memory://"], app="inside:app")


def test_a_corrupt_database_is_one_clear_error(mill):
    (mill.folder / "mill.db").write_bytes(b"this is no database, and never was one. " * 500)
    fails(mill, code=4, says=["mill.db", "hint: "])


def test_a_database_that_cannot_be_written_is_one_clear_error(mill):
    (mill.folder / "file").touch()
    url = f"sqlite:///{mill.folder}/file/mill.db"
    (mill.folder / "nowhere.py").write_text(f"from umbel import Umbel\napp = Umbel('x', broker='{url}')\n")
    fails(mill, code=4, says=["file", "hint: "], app="nowhere:app")


def test_a_locked_database_is_waited_for_and_then_one_clear_error(mill):
    with sqlite3.connect(mill.folder / "mill.db", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        fails(mill, code=4, says=["locked", "hint: "], UMBEL__BROKER__BUSY_TIMEOUT="1s")
        holder.execute("ROLLBACK")
    holder.close()


def test_a_health_file_that_cannot_be_written_is_one_clear_error(mill):
    fails(mill, "--health-file", f"{mill.folder}/no/such/folder/health", code=3, says=["health", "hint: "])


def test_a_health_port_that_is_taken_is_one_clear_error(mill):
    import socket

    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        fails(mill, "--health-port", str(port), code=3, says=[str(port), "hint: choose a port that is free"])


def test_an_application_of_plain_celery_runs_with_the_guarantees(mill):
    (mill.folder / "plain.py").write_text(PLAIN)
    mill.start("--processes", "1", app="plain:app")
    assert mill.result(mill.send("double", 21)) == 42
    wrong = mill.send("double", None)
    assert isinstance(mill.result(wrong), TypeError)
    mill.settled()
    assert [letter.envelope.task_id for letter in mill.dead()] == [wrong.id]


def test_a_queue_that_nobody_has_named_before_is_made(mill):
    mill.start("--processes", "1", "-Q", "brand-new")
    assert isinstance(mill.result(mill.send("grind", "there", queue="brand-new")), int)


def test_a_worker_survives_a_database_that_is_locked_for_a_while(mill):
    worker = mill.start("--processes", "1", "--threads", "2", UMBEL__BROKER__BUSY_TIMEOUT="0.3s")
    (shard,) = worker.shards
    running = mill.send("grind", "running", 0.5)
    mill.started("running")
    holder = sqlite3.connect(mill.folder / "mill.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    time.sleep(2)  # the outage itself
    holder.execute("ROLLBACK")
    holder.close()
    assert isinstance(mill.result(running), int)
    after = [mill.send("grind", f"after{number}") for number in range(20)]
    assert {mill.result(sent) for sent in after} == {shard.pid}
    assert mill.labels("end").count("running") == 1
    mill.settled()


def test_a_shard_whose_consumer_fails_is_replaced_and_the_worker_goes_on(mill):
    (mill.folder / "faulty.py").write_text(FAULTY)
    worker = mill.start("--processes", "1", app="faulty:app")
    mill.until(lambda: worker.log.count("its consumer failed") == 1, claim="the first shard has failed")
    assert mill.result(mill.send("double", 21)) == 42
    assert worker.process.poll() is None


FAULTY = (
    PLAIN
    + """
from celery import bootsteps

class Fails(bootsteps.StartStopStep):
    requires = ("celery.worker.consumer.tasks:Tasks",)

    def register_with_event_loop(self, consumer, hub):
        try:
            os.close(os.open(os.environ["MILL"] + "/once", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        hub.on_tick.add(lambda: 1 / 0)

app.steps["consumer"].add(Fails)
"""
)
