"""Kernel locks that die with their process."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from umbel.errors import StorageUnwritableError
from umbel.transports.sqlite.hosts import host_identity, process_start
from umbel.transports.sqlite.leases import LeaseFile


@pytest.fixture
def leases(tmp_path):
    return LeaseFile.at(tmp_path / "q.db-leases")


def ask(leases, offset, pipe):
    pipe.send(leases.is_held(offset))
    pipe.recv()


def in_child(target, *arguments):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(*arguments, theirs))
    child.start()
    theirs.close()
    assert ours.poll(30)
    return child, ours


def test_a_process_has_one_object_per_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert LeaseFile.at(tmp_path / "leases") is LeaseFile.at(tmp_path / "link" / "leases")


def test_what_this_process_holds_is_held(leases):
    offset = leases.take()
    assert leases.is_held(offset)
    leases.drop(offset)
    leases.drop(offset)
    assert not leases.is_held(offset)


def test_another_process_sees_it_and_looking_takes_nothing(leases):
    offset = leases.take()
    children = [in_child(ask, leases, offset) for _ in range(2)]
    for child, pipe in children:
        assert pipe.recv() is True
        pipe.send("end")
        child.join(30)
        pipe.close()
    assert leases.is_held(offset)
    leases.drop(offset)


def test_looking_at_the_file_does_not_drop_what_is_held(leases):
    # Closing any descriptor of the file would drop every lock of the process.
    kept = leases.take()
    assert not leases.is_held(kept ^ 1)
    released = leases.take()
    leases.drop(released)
    child, pipe = in_child(ask, leases, kept)
    assert pipe.recv() is True
    pipe.send("end")
    child.join(30)
    pipe.close()
    leases.drop(kept)


def take_and_wait(leases, pipe):
    pipe.send(leases.take())
    pipe.recv()


def test_the_death_of_the_process_drops_it(leases):
    child, pipe = in_child(take_and_wait, leases)
    offset = pipe.recv()
    assert leases.is_held(offset)
    os.kill(child.pid, signal.SIGKILL)
    child.join(30)
    assert not leases.is_held(offset)
    pipe.close()


def test_a_child_holds_nothing_of_its_parent(leases):
    offset = leases.take()
    child, pipe = in_child(report_held, leases)
    assert pipe.recv() == set()
    child.join(30)
    pipe.close()
    assert leases.is_held(offset)
    leases.drop(offset)


def report_held(leases, pipe):
    pipe.send(set(leases._held))


def test_a_folder_that_is_missing_is_named(tmp_path):
    leases = LeaseFile.at(tmp_path / "missing" / "q.db-leases")
    with pytest.raises(StorageUnwritableError, match=r"missing/q\.db-leases: cannot be opened"):
        leases.take()


def test_a_host_is_one_boot_and_a_process_has_one_start():
    assert len(host_identity()) == 16
    assert host_identity() == host_identity()
    assert process_start() == process_start()
    assert int(process_start()) > 0
