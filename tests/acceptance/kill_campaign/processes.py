"""The processes of one worker, as the campaign sees and kills them: by pid, and only its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from umbel.transports.base import Store
from umbel.transports.runtable import Running, RunTable
from umbel.worker.lifeline import die_with_parent

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 30.0
GONE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ShardProcess:
    """A living shard that has joined the store."""

    pid: int
    consumer: str
    run_table: Path

    def running(self) -> list[Running]:
        """Return what its run table says."""
        table = RunTable.open(self.run_table)
        if table is None:
            return []
        try:
            return table.running() if table.consumer == self.consumer else []
        finally:
            table.close()


class Worker:
    """One ``umbel worker``: its supervisor, zygote and shards, until all are killed or stopped."""

    def __init__(self, folder: Path, store: Store, options: Collection[str], environment: Mapping[str, str]) -> None:
        self.log = folder / "worker.log"
        self._store = store
        self.processes = int(_option(options, "--processes"))
        command = [sys.executable, "-m", "umbel", "-A", "tests.acceptance.kill_campaign.served:app", "worker"]
        with self.log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                env={**os.environ, **environment, "MILL_FOLDER": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - no other thread runs here
            )

    @property
    def supervisor(self) -> int:
        return self._supervisor.pid

    def family(self) -> list[int]:
        """Return the pids of all its processes, the supervisor last."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.supervisor).children(recursive=True)
            return [*(child.pid for child in children), self.supervisor]
        return [self.supervisor]

    def shards(self) -> list[ShardProcess]:
        """Return the shards that live and consume."""
        family = set(self.family())
        return [
            ShardProcess(info.pid, info.id, Path(info.run_table or ""))
            for info in self._store.consumers()
            if info.pid in family and not gone(info.pid)
        ]

    def wait_ready(self) -> float:
        """Wait until all shards consume; return when that was, in monotonic seconds."""
        wait_until(self._is_ready, START_SECONDS, lambda: f"the worker is ready:\n{self.log_tail()}")
        return time.monotonic()

    def kill_all(self) -> list[int]:
        """Kill every process of it, frozen first so that none has a last word; return their pids."""
        family = self.family()
        while True:
            frozen = [pid for pid in family if freeze(pid)]
            again = self.family()
            if set(again) <= set(family):
                break
            family = again
        for pid in frozen:
            send(pid, signal.SIGKILL)
        self.wait_gone(family)
        return family

    def kill_supervisor(self) -> list[int]:
        """Kill the supervisor alone; the others must follow it by themselves."""
        family = self.family()
        send(self.supervisor, signal.SIGKILL)
        self.wait_gone(family)
        return family

    def wait_gone(self, pids: Collection[int]) -> None:
        """Wait until these processes are gone."""
        self._supervisor.poll()
        wait_until(
            lambda: self._supervisor.poll() is not None and all(map(gone, pids)),
            GONE_SECONDS,
            lambda: f"no process is left of {pids}; there are {[pid for pid in pids if not gone(pid)]}",
        )

    def stop(self) -> int:
        """Drain it; return its exit code."""
        family = self.family()
        if self._supervisor.poll() is None:
            self._supervisor.send_signal(signal.SIGTERM)
        code = self._supervisor.wait(40)
        self.wait_gone(family)
        return code

    def end(self) -> None:
        """Let nothing of it live, whatever happened before."""
        if self._supervisor.poll() is None:
            self.kill_all()

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def _is_ready(self) -> bool:
        assert self._supervisor.poll() is None, f"the worker ended by itself:\n{self.log_tail()}"
        return len(self.shards()) >= self.processes


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def freeze(pid: int) -> bool:
    """Stop a process where it is; False when it is gone."""
    send(pid, signal.SIGSTOP)
    wait_until(lambda: gone(pid) or _stands_still(pid), GONE_SECONDS, lambda: f"process {pid} is frozen")
    return _state(pid) == "T"


def thaw(pid: int) -> None:
    """Let it go on."""
    send(pid, signal.SIGCONT)


def gone(pid: int) -> bool:
    """Return whether a process has ended, reaped or not."""
    return _state(pid) in {"Z", "X", ""}


def wait_until(condition: Callable[[], object], seconds: float, claim: Callable[[], str]) -> None:
    """Wait for a condition; fail, saying what was expected."""
    deadline = time.monotonic() + seconds
    pause = 0.001
    while not condition():
        assert time.monotonic() < deadline, f"expected within {seconds:g} s: {claim()}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def _stands_still(pid: int) -> bool:
    """Whether every thread has stopped: they do so one by one."""
    with contextlib.suppress(OSError):
        return all(_state(thread.name) == "T" for thread in Path(f"/proc/{pid}/task").iterdir())
    return False


def _state(pid: int | str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _option(options: Collection[str], name: str) -> str:
    words = list(options)
    return words[words.index(name) + 1]
