"""The lock of a chord excludes threads and processes, and dies with its process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from umbel.results.sql.sqlite import ChordLocks

HOLD_FOR_EVER = """
import sys, time
from pathlib import Path
from umbel.results.sql.sqlite import ChordLocks
with ChordLocks(Path(sys.argv[1])).hold("c"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def locks(tmp_path):
    return ChordLocks(tmp_path / "results.db")


def holder(locks, name, entered, go_on=None):
    def run():
        with locks.hold(name):
            entered.set()
            if go_on is not None:
                assert go_on.wait(10)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_one_thread_at_a_time_holds_a_name_and_others_hold_other_names(locks):
    first_in, second_in, other_in, go_on = (threading.Event() for _ in range(4))
    first = holder(locks, "c", first_in, go_on)
    assert first_in.wait(10)
    second = holder(locks, "c", second_in)
    other = holder(locks, "d", other_in)
    assert other_in.wait(10), "another chord is not held up"
    assert not second_in.wait(0.1)
    go_on.set()
    assert second_in.wait(10)
    for thread in (first, second, other):
        thread.join(10)


def test_a_lock_dies_with_its_process(locks, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_FOR_EVER, str(tmp_path / "results.db")], stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline() == b"held\n"
        entered = threading.Event()
        waiter = holder(locks, "c", entered)
        assert not entered.wait(0.1)
        process.kill()
        assert entered.wait(10)
        waiter.join(10)


def test_a_forked_child_does_not_keep_its_parents_lock(locks):
    read, write = os.pipe()
    with locks.hold("c"):
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
    entered = threading.Event()
    waiter = holder(locks, "c", entered)

    try:
        assert entered.wait(10)
    finally:
        os.write(write, b"x")
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)
        waiter.join(10)


def test_a_failure_inside_releases(locks):
    with pytest.raises(ValueError, match="inside"), locks.hold("c"):
        raise ValueError("inside")
    with locks.hold("c"):
        pass
