"""Real workers on the SQLite transport, plain Celery's and Umbel's own, with the app in ``shop.py``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from umbel.transports.base import DeadLetter, DeadLetterFilter, Store

HERE = Path(__file__).parent


@dataclass
class Shop:
    """The app of ``shop.py`` as a producer sees it, its store, and its workers."""

    folder: Path
    app: Any
    store: Store
    module: Any
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, pool: str, *options: str, app: str = "shop:app", concurrency: int = 2) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-P", pool, "-c", str(concurrency), "-lINFO"]
        if pool == "umbel":
            shape = ["--processes", "1", "--threads", str(concurrency), "-l", "INFO"]
            command = [sys.executable, "-m", "umbel", "-A", app, "worker", *shape]
        with (self.folder / f"worker{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen([*command, *options], cwd=HERE, stdout=log, stderr=subprocess.STDOUT)
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 15
        for worker in self.workers:
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def log(self) -> str:
        return "\n".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("worker*.log")))

    def effects(self) -> list[str]:
        file = self.folder / "effects"
        return file.read_text().splitlines() if file.exists() else []

    def dead(self, **where: Any) -> list[DeadLetter]:
        return list(self.store.list_dead(DeadLetterFilter(**where)))

    def busy(self) -> int:
        return sum(queue.ready + queue.delayed + queue.claimed for queue in self.store.queues())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop on its own file."""
    monkeypatch.setenv("UMBEL__BROKER__URL", f"sqlite:///{tmp_path}/shop.db")
    monkeypatch.setenv("UMBEL__RESULTS__URL", f"sqlite:///{tmp_path}/shop.db")
    monkeypatch.setenv("EFFECTS", str(tmp_path / "effects"))
    monkeypatch.syspath_prepend(str(HERE))
    sys.modules.pop("shop", None)
    import shop as module

    store = module.app.open_store()
    found = Shop(tmp_path, module.app, store, module)
    yield found
    found.stop()
    module.app.pool.force_close_all()
    store.close()
    sys.modules.pop("shop", None)


@pytest.fixture
def settled(eventually: Callable[..., None]) -> Callable[..., None]:
    """Wait until nothing waits or runs any more, or show the workers' logs."""

    def wait(shop: Shop, *, within: float = 30.0) -> None:
        try:
            eventually(lambda: shop.busy() == 0, within=within, claim="everything is settled")
        except BaseException:
            sys.stderr.write(shop.log())
            raise

    return wait
