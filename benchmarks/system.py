"""What every measured system can do, and how its worker processes are run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

__all__ = ["System", "Worker"]

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class System:
    """One system at one setting.

    ``module`` has ``publish(count)``, ``call(sent)``, and ``stored(count) -> bool`` (whether so many
    results are stored). ``command`` starts the worker. ``tasks`` is how many a round drains.
    """

    name: str
    packages: Sequence[str]
    module: str
    command: Sequence[str]
    safety: str
    tasks: int

    @property
    def versions(self) -> str:
        """The versions that are measured."""
        return ", ".join(f"{package} {version(package)}" for package in self.packages)

    def produce(self, folder: Path, expression: str) -> float:
        """Run one expression of the module in a fresh producer; return the seconds that it printed."""
        program = (
            "import time, importlib, sys\n"
            f"module = importlib.import_module({self.module!r})\n"
            f"started = time.perf_counter()\nmodule.{expression}\n"
            "print(time.perf_counter() - started)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], env=_environment(folder), check=True, capture_output=True, text=True
        )
        return float(done.stdout.split()[-1])

    def stored(self, folder: Path, count: int) -> bool:
        """Return whether the results of so many tasks are stored."""
        program = f"import {self.module} as module\nprint(module.stored({count}))\n"
        done = subprocess.run(
            [sys.executable, "-c", program], env=_environment(folder), check=True, capture_output=True, text=True
        )
        return done.stdout.split()[-1] == "True"

    @contextlib.contextmanager
    def worker(self, folder: Path) -> Iterator[Worker]:
        """Run the worker; end it with everything that it started."""
        log = (folder / "worker.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", *self.command], env=_environment(folder), cwd=folder, stdout=log, stderr=log
        )
        worker = Worker(process)
        try:
            yield worker
        finally:
            worker.stop()
            log.close()


class Worker:
    """A worker and its child processes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def memory(self) -> int:
        """Return the proportional set size of the worker's processes together, in bytes."""
        return sum(_proportional(process) for process in self._family())

    def stop(self) -> None:
        """Ask it to end, then end what is left."""
        family = self._family()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _family(self) -> list[psutil.Process]:
        try:
            top = psutil.Process(self._process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _proportional(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "BENCH_DIR": str(folder), "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
