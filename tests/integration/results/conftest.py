"""Real workers, of plain Celery and Umbel's own, whose broker and results are one SQLite file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


class Worker:
    """One worker process with its children, in a session of its own."""

    def __init__(self, command: list[str], ready: str, log: Path, environment: dict[str, str]) -> None:
        self.ready = ready
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command], stdout=output, stderr=output, env=environment, start_new_session=True
            )

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return self.ready in self.log.read_text()

    def kill(self) -> None:
        """End it and all its children at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def celery_worker(pool: str, name: str) -> tuple[list[str], str]:
    command = ["celery", "-A", "canvasapp", "worker", "-n", f"{name}@test", "-l", "info", "-P", pool, "-c", "2"]
    return command, f"{name}@test ready."


def umbel_worker() -> tuple[list[str], str]:
    return ["umbel.cli", "-A", "canvasapp:app", "worker", "--processes", "2", "--threads", "2"], "worker.ready"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CANVASAPP_FOLDER": str(tmp_path), "PYTHONPATH": str(HERE)}


@pytest.fixture
def canvas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The application in this process, on the test's own file."""
    monkeypatch.setenv("CANVASAPP_FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(str(HERE))
    sys.modules.pop("canvasapp", None)
    import canvasapp

    yield canvasapp
    canvasapp.app.backend.close()
    canvasapp.app.close()
    sys.modules.pop("canvasapp", None)


@pytest.fixture
def start_worker(
    tmp_path: Path, environment: dict[str, str], eventually: Callable[..., None]
) -> Iterator[Callable[..., Worker]]:
    """Start a worker and wait until it consumes; whatever still runs after the test is ended."""
    started: list[Worker] = []

    def start(pool: str = "threads", *, name: str = "w1") -> Worker:
        command, ready = umbel_worker() if pool == "umbel" else celery_worker(pool, name)
        worker = Worker(command, ready, tmp_path / f"{name}.log", environment)
        started.append(worker)
        eventually(worker.is_ready, within=30, claim="the worker is ready")
        return worker

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()


@pytest.fixture
def effects(tmp_path: Path) -> Callable[[], list[list[str]]]:
    """What the tasks have noted so far, line by line, in words."""

    def read() -> list[list[str]]:
        path = tmp_path / "effects.txt"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    return read
