"""The main job, as a user runs it: a real worker on real SQLite files, with a shard killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SHORT_RUN = 12_000
PNG = b"\x89PNG\r\n"


def demo(*arguments, seconds=110):
    command = [sys.executable, "-m", "umbel.cli", "demo", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UMBEL_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=environment)


def processes_in(folder):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink() == folder:
                    found.append(entry.name)
            except OSError:
                continue
    return found


def test_totals_are_exact_although_a_shard_is_killed(tmp_path):
    folder = tmp_path / "run"
    done = demo("--flights", str(SHORT_RUN), "--output", str(folder), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"]
    assert report["recovered"] > 0
    assert report["kill"]["running"]
    assert report["recovered_after"] < 1.0
    assert report["retries"] > 0
    assert report["dead_letters"] == sum(report["rejected"].values()) > 0
    assert report["flights"] == SHORT_RUN == report["counted"] + report["dead_letters"]
    assert (folder / "delays.png").read_bytes().startswith(PNG)
    assert processes_in(folder) == []


def test_without_chaos_nobody_is_killed_and_nothing_runs_twice(tmp_path):
    done = demo("--flights", "2000", "--output", str(tmp_path / "run"), "--no-chaos", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["kill"] is None
    assert report["recovered"] == 0
    assert report["worker_processes"] == 2


def test_a_pipe_gets_plain_lines_and_the_report(tmp_path):
    done = demo("--flights", "2000", "--output", str(tmp_path / "run"), "--no-chaos", "--threads", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ totals equal the direct computation" in done.stdout
    assert "\x1b" not in done.stdout
    assert str(tmp_path / "run" / "delays.png") in done.stdout


def test_a_folder_with_files_in_it_is_refused(tmp_path):
    (tmp_path / "precious").touch()
    done = demo("--output", str(tmp_path))
    assert done.returncode == 1
    assert "expected an empty folder" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]


def test_no_process_outlives_a_demo_that_is_killed(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "umbel.cli", "demo", "--output", str(folder), "--no-chaos"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "shards" in process.stdout.readline()
        assert len(processes_in(folder)) >= 4
        process.kill()
    deadline = time.monotonic() + 10
    while processes_in(folder):
        assert time.monotonic() < deadline, processes_in(folder)
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_whole_run_makes_fifty_thousand_executions_within_two_minutes(tmp_path):
    done = demo("--output", str(tmp_path / "run"), "--json", seconds=220)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["flights"] == 336_776
    assert report["executions"] >= 50_000
    assert report["recovered"] > 0
    assert report["seconds"] < 120
    assert report["dead_letters"] == 11_634
