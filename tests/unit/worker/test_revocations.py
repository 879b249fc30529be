"""The ids that were revoked, in a file that all shards of a worker share."""

import os
import time

import pytest
from celery.worker import state
from celery.worker.control import Panel

from umbel.worker import revocations
from umbel.worker.revocations import Revocations, remove_outdated


@pytest.fixture(autouse=True)
def _celery_as_it_was(monkeypatch):
    monkeypatch.setitem(Panel.data, "revoke", Panel.data["revoke"])
    yield
    state.revoked.clear()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "1.revoked"


def test_a_new_shard_knows_what_its_predecessors_heard(path):
    Revocations(path).remember(["a", "b"])
    Revocations(path).remember(["c"])
    Revocations(path).recall()
    assert {"a", "b", "c"} <= set(state.revoked)


def test_nothing_is_known_of_a_file_that_is_not_there(path):
    Revocations(path).recall()
    assert len(state.revoked) == 0


@pytest.mark.parametrize("task_id", ["one", ["one", "two"]])
def test_what_a_shard_is_told_is_written_down_and_done(path, task_id, monkeypatch):
    heard = []
    monkeypatch.setitem(Panel.data, "revoke", lambda _control, task_id, **_: heard.append(task_id) or {"ok": "done"})
    Revocations(path).follow()
    assert Panel.data["revoke"](None, task_id, terminate=False) == {"ok": "done"}
    assert heard == [task_id]
    assert [line.split()[1] for line in path.read_text().splitlines()] == ([task_id] if task_id == "one" else task_id)


def test_what_is_no_id_is_not_written_down(path):
    Revocations(path).remember(["good", "with\nnewline", 7, None])
    assert [line.split()[1] for line in path.read_text().splitlines()] == ["good"]


def test_a_large_file_is_written_anew_without_repeats_and_what_is_forgotten(path, monkeypatch):
    monkeypatch.setattr(revocations, "_LARGEST", 10_000)
    long_ago = time.monotonic() - state.REVOKE_EXPIRES - 1
    path.write_text(f"{long_ago} forgotten\n" + f"{time.monotonic()} repeated\n" * 1_000)
    Revocations(path).remember(["last"])
    assert [line.split()[1] for line in path.read_text().splitlines()] == ["repeated", "last"]


def test_files_of_killed_workers_go_once_nothing_in_them_counts(path):
    other, old = path.with_name("2.revoked"), path.with_name("3.revoked")
    for file in (path, other, old):
        Revocations(file).remember(["a"])
    long_ago = time.time() - state.REVOKE_EXPIRES - 1
    os.utime(old, (long_ago, long_ago))
    remove_outdated(path.parent)
    assert (path.exists(), other.exists(), old.exists()) == (True, True, False)
