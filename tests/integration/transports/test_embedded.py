"""Celery's own embedded test worker, a thread in this process, on both stores."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

import umbel.transports  # noqa: F401 - registers the transports


@pytest.fixture(params=["sqlite", "memory"])
def app(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'broker.db'}" if request.param == "sqlite" else f"umbel-memory://{uuid4()}"
    app = Celery("embedded", broker=url, backend="cache+memory://")
    app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True)
    yield app
    app.close()


def test_an_embedded_worker_runs_tasks_and_publishes_from_them(app):
    @app.task(shared=False)
    def add(x, y):
        return x + y

    @app.task(shared=False)
    def spawn(x):
        return add.delay(x, 1).id

    with start_worker(app, perform_ping_check=False, shutdown_timeout=20):
        assert add.delay(1, 2).get(timeout=10) == 3
        child = app.AsyncResult(spawn.delay(4).get(timeout=10))
        assert child.get(timeout=10, disable_sync_subtasks=False) == 5


def test_processes_forked_while_an_embedded_worker_consumes_may_publish(app, request):
    if "memory" in request.node.name:
        pytest.skip("memory is not shared with a child")

    @app.task(shared=False)
    def echo(x):
        return x

    with start_worker(app, perform_ping_check=False, shutdown_timeout=20):
        assert echo.delay("parent").get(timeout=10) == "parent"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                echo.apply_async(("child",), task_id="from-the-child")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert app.AsyncResult("from-the-child").get(timeout=10) == "child"
