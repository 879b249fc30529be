from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from umbel.outcomes import Verdict
from umbel.transports.runtable import Command, RunTable, ShardState


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shard-1.run"


def test_a_new_table_has_free_slots_and_no_consumer(path: Path) -> None:
    table = RunTable.create(path, slots=4)
    assert table.running() == []
    assert (table.consumer, table.heartbeat, table.executed) == ("", 0.0, 0)
    assert (table.state, table.command) == (ShardState.STARTING, Command.RUN)
    table.close()


def test_only_its_user_can_read_it(path: Path) -> None:
    RunTable.create(path, slots=1).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_opening_sees_what_runs_and_what_has_ended(path: Path) -> None:
    table = RunTable.create(path, slots=3)
    seen = RunTable.open(path)
    assert seen is not None
    table.start(0, "12.1", "task-a", soft=0.0, hard=50.0)
    table.start(2, "13.1", "task-ü", soft=7.5, hard=9.5)
    first, second = seen.running()
    assert (first.slot, first.receipt, first.task_id, first.hard_deadline) == (0, "12.1", "task-a", 50.0)
    assert (second.slot, second.receipt, second.task_id, second.soft_deadline) == (2, "13.1", "task-ü", 7.5)
    assert second.sequence > first.sequence
    table.finish(0)
    assert [run.slot for run in seen.running()] == [2]
    table.close()
    seen.close()


def test_a_slot_shows_only_its_latest_body(path: Path) -> None:
    table = RunTable.create(path, slots=1)
    table.start(0, "a-much-longer-receipt", "a-much-longer-task-id", soft=0, hard=0)
    table.finish(0)
    table.start(0, "r", "t", soft=0, hard=0)
    (run,) = table.running()
    assert (run.receipt, run.task_id, run.sequence) == ("r", "t", 2)
    table.close()


def test_a_verdict_is_about_one_body_and_not_about_the_next_in_its_slot(path: Path) -> None:
    table = RunTable.create(path, slots=2)
    seen = RunTable.open(path)
    assert seen is not None
    table.start(0, "late", "t0", soft=0, hard=1.0)
    table.start(1, "neighbour", "t1", soft=0, hard=0)
    seen.sentence(seen.running()[0], Verdict.TIME_LIMIT)
    assert table.verdicts == {"late": Verdict.TIME_LIMIT}
    table.finish(0)
    table.start(0, "next", "t2", soft=0, hard=0)
    assert table.verdicts == {}
    table.close()
    seen.close()


def test_of_a_process_that_is_spared_nothing_is_to_blame(path: Path) -> None:
    table = RunTable.create(path, slots=1)
    table.start(0, "r", "t", soft=0, hard=0)
    assert table.started == ["r"]
    table.spare()
    assert table.started == []
    assert [run.receipt for run in table.running()] == ["r"]
    table.close()


def test_a_reader_never_sees_a_body_with_the_deadline_of_another(path: Path) -> None:
    code = (
        "import itertools, pathlib, sys\n"
        "from umbel.transports.runtable import RunTable\n"
        "table = RunTable.create(pathlib.Path(sys.argv[1]), slots=1)\n"
        "print('made', flush=True)\n"
        "for number in itertools.count():\n"
        "    table.start(0, str(number), 't', 0.0, float(number))\n"
        "    table.finish(0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "made\n"
            seen = RunTable.open(path)
            assert seen is not None
            looks, deadline = [], time.monotonic() + 30
            while len(looks) < 500 and time.monotonic() < deadline:
                looks += seen.running()
        finally:
            process.kill()
    assert len(looks) >= 500
    assert [run for run in looks if run.receipt != f"{run.hard_deadline:.0f}"] == []
    seen.close()


def test_texts_longer_than_their_room_are_cut_and_harm_no_neighbour(path: Path) -> None:
    table = RunTable.create(path, slots=2)
    table.start(1, "r2", "t2", soft=0, hard=0)
    table.start(0, "r" * 500, "t" * 500, soft=0, hard=0)
    first, second = table.running()
    assert (first.receipt, first.task_id) == ("r" * 100, "t" * 100)
    assert (second.receipt, second.task_id) == ("r2", "t2")
    table.close()


def test_the_header_carries_state_command_and_heartbeat_both_ways(path: Path) -> None:
    table = RunTable.create(path, slots=1)
    supervisor = RunTable.open(path)
    assert supervisor is not None
    table.introduce(os.getpid(), "host.1.2")
    table.state = ShardState.READY
    table.beat(executed=2**40)
    supervisor.command = Command.DRAIN
    assert (supervisor.consumer, supervisor.state, supervisor.executed) == ("host.1.2", ShardState.READY, 2**40)
    assert supervisor.heartbeat > 0
    assert table.command is Command.DRAIN
    table.close()
    supervisor.close()


def test_what_ran_is_still_there_after_sigkill(path: Path, eventually: Callable[..., None]) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from umbel.transports.runtable import RunTable\n"
        "table = RunTable.create(pathlib.Path(sys.argv[1]), slots=2)\n"
        "table.introduce(1, 'c1')\n"
        "table.start(1, '7.3', 'task-x', 0.0, 0.0)\n"
        "print('running', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGKILL)
    table = RunTable.open(path)
    assert table is not None
    assert table.consumer == "c1"
    assert [(run.receipt, run.task_id) for run in table.running()] == [("7.3", "task-x")]
    table.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\0" * 4096, b"umbelrun" + b"\xff" * 4096, b"umbelrun\x01\0\0\0\xff\xff\0\0" + b"\0" * 300],
    ids=["empty", "short", "zeros", "other version", "more slots than bytes"],
)
def test_a_file_that_is_no_table_is_none(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert RunTable.open(path) is None


def test_a_missing_file_is_none(path: Path) -> None:
    assert RunTable.open(path) is None


def test_removing_twice_is_harmless(path: Path) -> None:
    table = RunTable.create(path, slots=1)
    table.remove()
    table.remove()
    assert not path.exists()
