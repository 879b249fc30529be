"""Real workers of plain Celery on a SQLite file, as processes that a test may kill."""

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
    """One `celery worker` process, in a session of its own."""

    def __init__(self, name: str, folder: Path, *arguments: str, application: str, environment: dict[str, str]) -> None:
        self.name = f"{name}@test"
        self.log = folder / f"{name}.log"
        command = [sys.executable, "-m", "celery", "-A", application, "worker", "-n", self.name, "-l", "info"]
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [*command, *arguments], stdout=output, stderr=output, env=environment, start_new_session=True
            )

    @property
    def text(self) -> str:
        return self.log.read_text()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.text
        return f"{self.name} ready." in self.text

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """Ask for a warm shutdown and wait for it."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PLAINAPP_FOLDER": str(tmp_path), "PYTHONPATH": str(HERE)}


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The application in this process, on the test's own broker file."""
    monkeypatch.setenv("PLAINAPP_FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(str(HERE))
    sys.modules.pop("plainapp", None)
    import plainapp

    yield plainapp
    plainapp.app.close()
    sys.modules.pop("plainapp", None)


@pytest.fixture
def start_worker(
    tmp_path: Path, environment: dict[str, str], eventually: Callable[..., None]
) -> Iterator[Callable[..., Worker]]:
    """Start a worker and wait until it consumes; whatever still runs after the test is ended."""
    started: list[Worker] = []

    def start(
        *arguments: str,
        name: str = "w1",
        pool: str = "solo",
        application: str = "plainapp",
        wait: bool = True,
        **extra: str,
    ) -> Worker:
        variables = {**environment, **extra}
        worker = Worker(name, tmp_path, "-P", pool, *arguments, application=application, environment=variables)
        started.append(worker)
        if wait:
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
