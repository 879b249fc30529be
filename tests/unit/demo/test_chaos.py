"""The kill hits a process that is busy, and knows what it was doing."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from umbel.clock import Timestamp
from umbel.demo.chaos import kill_busy_shard
from umbel.message import Envelope
from umbel.transports.registry import open_store

SHARD = """
import sys, time
from pathlib import Path
from umbel.transports.registry import open_store
from umbel.transports.runtable import RunTable

url, path, busy = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "busy"
store = open_store(url)
table = RunTable.create(path, 2)
consumer = store.register("shard", lease=15.0, run_table=str(path))
table.introduce(0, consumer)
claims = store.claim("bulk", consumer, 5).claims
if busy:
    table.start(0, claims[0].receipt, claims[0].envelope.task_id, 0, 0)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/queues.db")) as found:
        envelopes = [Envelope(f"task-{number}", "demo", b"{}", b"", visible_at=Timestamp(0.0)) for number in range(5)]
        found.publish("bulk", envelopes)
        yield found


@pytest.fixture
def shard(tmp_path, store):
    processes = []

    def start(mood):
        command = [sys.executable, "-c", SHARD, f"sqlite:///{tmp_path}/queues.db", str(tmp_path / "run"), mood]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_busy_shard_dies_and_what_it_ran_and_held_is_known(store, shard):
    process = shard("busy")
    kill = kill_busy_shard(store, spare=0)
    assert process.wait(5) == -signal.SIGKILL
    assert kill is not None
    assert kill.pid == process.pid
    assert kill.running == ("task-0",)
    assert sorted(kill.held) == [f"task-{number}" for number in range(5)]
    assert abs(kill.at - time.time()) < 5


def test_an_idle_shard_goes_on_as_before(store, shard):
    process = shard("idle")
    assert kill_busy_shard(store, spare=0) is None
    assert process.poll() is None
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
        assert time.monotonic() < deadline, "it is still frozen"


def test_the_supervisor_is_spared(store, shard):
    process = shard("busy")
    assert kill_busy_shard(store, spare=process.pid) is None
    assert process.poll() is None
