"""Waking waiters through FIFOs."""

from __future__ import annotations

import multiprocessing
import os
import select

import pytest

from umbel.errors import StorageUnwritableError
from umbel.transports.sqlite.bell import Bell


@pytest.fixture
def bell(tmp_path):
    bell = Bell(tmp_path / "wake")
    yield bell
    bell.close()


def fifos(tmp_path):
    return list((tmp_path / "wake").iterdir())


def rings(waiter, timeout=5.0):
    return bool(select.select([waiter], [], [], timeout)[0])


def test_ringing_before_anybody_waits_is_harmless(bell, tmp_path):
    bell.ring()
    assert not (tmp_path / "wake").exists()


def test_waiters_that_come_one_right_after_the_other_are_all_rung(bell):
    # The folder's time stamp has the kernel's tick: two changes can share one.
    waiters = []
    for _ in range(20):
        waiters.append(bell.waiter())
        bell.ring()
        assert rings(waiters[-1])
    for waiter in waiters:
        waiter.close()


def test_a_waiter_that_never_reads_blocks_nobody(bell):
    lazy, other = bell.waiter(), bell.waiter()
    for _ in range(70_000):
        bell.ring()
    other.clear()
    bell.ring()
    assert rings(other)
    lazy.clear()
    assert not rings(lazy, 0)
    lazy.close()
    other.close()


def test_closing_removes_the_fifo(bell, tmp_path):
    waiter = bell.waiter()
    assert len(fifos(tmp_path)) == 1
    waiter.close()
    waiter.close()
    assert fifos(tmp_path) == []
    assert waiter.fileno() == -1


@pytest.mark.parametrize("known", [True, False])
def test_the_fifo_of_a_dead_process_is_removed_by_the_next_ringer(bell, tmp_path, known):
    context = multiprocessing.get_context("fork")
    ready, leave = context.Event(), context.Event()
    child = context.Process(target=wait_and_die, args=(bell, ready, leave))
    child.start()
    ready.wait(30)
    if known:
        bell.ring()
    leave.set()
    child.join(30)
    assert len(fifos(tmp_path)) == 1
    bell.ring()
    assert fifos(tmp_path) == []


def wait_and_die(bell, ready, leave):
    bell.waiter()
    ready.set()
    leave.wait(30)
    os._exit(1)


def test_a_forked_child_does_not_keep_its_parents_waiter_alive(bell):
    waiter = bell.waiter()
    child = os.fork()
    if child == 0:
        os._exit(0 if waiter.fileno() == -1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    bell.ring()
    assert rings(waiter)
    waiter.close()


def test_a_place_where_no_fifo_can_be_is_named(tmp_path):
    (tmp_path / "wake").write_text("a file")
    with pytest.raises(StorageUnwritableError, match=r"wake-up folder .*wake: cannot make a FIFO"):
        Bell(tmp_path / "wake").waiter()
