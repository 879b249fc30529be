"""The worker of one run: ``umbel worker`` as a process of its own, as in real life."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from umbel.demo.errors import DemoError
from umbel.transports.base import Store
from umbel.worker.lifeline import die_with_parent

__all__ = ["Worker", "start_worker"]

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_LOG_TAIL = 12


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker's supervisor process."""

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise when the worker has ended by itself.

        Raises:
            DemoError: it is gone; the error shows the end of its log.
        """
        if self.process.poll() is not None:
            raise DemoError(
                f"the worker ended by itself with code {self.process.returncode}:\n{self.log_tail()}",
                hint=f"the whole log is {self.log}",
            )

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])

    def wait_ready(self, store: Store, *, shards: int) -> None:
        """Wait until the shards consume.

        Raises:
            DemoError: they do not within half a minute.
        """
        deadline = time.monotonic() + _START_SECONDS
        while len(store.consumers()) < shards:
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(
                    f"the worker is not ready after {_START_SECONDS:.0f} s:\n{self.log_tail()}",
                    hint=f"the whole log is {self.log}",
                )
            self.pause(0.05)

    def pause(self, seconds: float) -> None:
        """Wait so long, or until the worker ends."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def stop(self) -> int:
        """Drain the worker and return its exit code; one that does not end is killed."""
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL):
            self.process.send_signal(number)
            try:
                return self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        return self.process.wait()


@contextmanager
def start_worker(folder: Path, *, processes: int, threads: int) -> Iterator[Worker]:
    """Run ``umbel worker`` for the demo's app in the folder while the block runs.

    It dies with this process, whatever happens. Begin it before there are other threads.
    """
    command = [sys.executable, "-m", "umbel.cli", "-A", "umbel.demo.app:app", "worker"]
    shape = ["--queues", "critical,bulk", "--processes", str(processes), "--threads", str(threads)]
    log = folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and words of ours
            [*command, *shape],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - no other thread runs yet
        )
    worker = Worker(process, log)
    try:
        yield worker
    finally:
        if process.poll() is None:
            worker.stop()
