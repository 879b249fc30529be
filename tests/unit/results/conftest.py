"""A Celery application over a real SQLite file, without a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from celery.app.task import Context

from umbel.results.sql import SqlBackend


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def make_app(file: Path) -> Iterator[Callable[..., Celery]]:
    made: list[Celery] = []

    def make(**settings: Any) -> Celery:
        app = Celery(f"results-{uuid4()}", broker="memory://", backend=f"sqlite:///{file}", set_as_current=False)
        app.conf.update(settings)
        made.append(app)
        return app

    yield make
    for app in made:
        app.backend.close()
        app.close()


@pytest.fixture
def app(make_app: Callable[..., Celery]) -> Celery:
    return make_app()


@pytest.fixture
def backend(app: Celery) -> SqlBackend:
    return app.backend


@pytest.fixture
def other(make_app: Callable[..., Celery]) -> SqlBackend:
    """A second backend on the same file, as another process has it."""
    return make_app().backend


@pytest.fixture
def traced() -> Callable[..., Context]:
    """A request as the tracer has it while it ends a task."""

    def make(task_id: str = "t1", **fields: Any) -> Context:
        return Context({"id": task_id, "task": "shop.charge", **fields})

    return make
