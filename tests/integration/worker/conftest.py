"""Real `umbel worker` processes on a SQLite file, the app in ``mill.py``, and everything that they did."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from umbel import Umbel
from umbel.transports.base import DeadLetter, DeadLetterFilter, QueueStats

HERE = Path(__file__).parent
PATIENCE = 30.0


@dataclass(frozen=True)
class Effect:
    at: float
    pid: int
    kind: str
    label: str


class Worker:
    """One `umbel worker`: its supervisor, the processes below it, and its log."""

    def __init__(
        self, folder: Path, number: int, words: tuple[str, ...], app: str, environment: dict[str, str]
    ) -> None:
        self.health = folder / f"health{number}"
        self._log = folder / f"worker{number}.log"
        command = [sys.executable, "-m", "umbel", "-A", app, "worker", "-n", f"w{number}@test"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--health-file", str(self.health), *words],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def status(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(self.health.read_text())["status"])
        return ""

    @property
    def zygotes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    @property
    def shards(self) -> list[psutil.Process]:
        found = []
        for zygote in self.zygotes:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += zygote.children()
        return found

    def everyone(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return "worker.ready" in self.log

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, within: float = PATIENCE) -> int:
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the worker has not ended within {within:g} s:\n{self.log}")

    def end(self) -> None:
        """End what still runs; its shards die with it."""
        if self.process.poll() is None:
            below = self.everyone()[1:]
            self.process.kill()
            self.process.wait()
            psutil.wait_procs(below, timeout=5)


class Mill:
    """The app as a producer sees it, its store, its effects, and the workers of one test."""

    def __init__(self, folder: Path, eventually: Callable[..., None]) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/mill.db"
        self.app = Umbel("mill", broker=self.url, backend=self.url, set_as_current=False)
        self.store = self.app.open_store()
        self.workers: list[Worker] = []
        self._eventually = eventually

    def start(self, *words: str, app: str = "mill:app", wait: bool = True, **variables: str) -> Worker:
        path = os.pathsep.join([str(self.folder), str(HERE), *sys.path])
        environment = {**os.environ, "PYTHONPATH": path, "MILL": str(self.folder), **variables}
        worker = Worker(self.folder, len(self.workers), words, app, environment)
        self.workers.append(worker)
        if wait:
            self.until(worker.is_ready, claim="the worker is ready")
        return worker

    def until(self, condition: Callable[[], object], *, within: float = PATIENCE, claim: str) -> None:
        """Wait for a condition; show the workers' logs when it does not come."""
        try:
            self._eventually(condition, within=within, claim=claim)
        except BaseException:
            sys.stderr.write("\n".join(worker.log for worker in self.workers))
            raise

    def send(self, task: str, *arguments: Any, **options: Any) -> Any:
        return self.app.send_task(f"mill.{task}", arguments, **options)

    def result(self, sent: Any, *, within: float = PATIENCE) -> Any:
        """Return what the task returned, or the error that it ended with."""
        self.until(sent.ready, within=within, claim=f"task {sent.id} has ended")
        return sent.result

    def effects(self, kind: str | None = None) -> list[Effect]:
        file = self.folder / "effects"
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        found = [Effect(float(at), int(pid), *words) for at, pid, *words in lines]
        return [effect for effect in found if kind in (None, effect.kind)]

    def labels(self, kind: str = "start") -> list[str]:
        return [effect.label for effect in self.effects(kind)]

    def started(self, label: str, *, within: float = PATIENCE) -> Effect:
        """Wait until the body with this label has started (last), and return that."""
        self.until(lambda: label in self.labels(), within=within, claim=f"{label} has started")
        return [effect for effect in self.effects("start") if effect.label == label][-1]

    def counts(self) -> QueueStats:
        return next(stats for stats in self.store.queues() if stats.queue == "celery")

    def settled(self, *, within: float = PATIENCE) -> None:
        """Wait until nothing waits or runs."""
        self.until(
            lambda: not any(queue.ready + queue.delayed + queue.claimed for queue in self.store.queues()),
            within=within,
            claim="everything is settled",
        )

    def dead(self) -> list[DeadLetter]:
        return list(self.store.list_dead(DeadLetterFilter()))

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.app.pool.force_close_all()
        self.store.close()


@pytest.fixture
def mill(tmp_path: Path, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mill]:
    """A mill on its own file; whatever it has started is ended."""
    monkeypatch.chdir(tmp_path)
    opened = Mill(tmp_path, eventually)
    yield opened
    opened.close()


@pytest.fixture
def runs() -> Callable[[psutil.Process], bool]:
    """Say whether a process still runs. An orphan that nobody has waited for yet does not."""

    def still_runs(process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return False

    return still_runs
