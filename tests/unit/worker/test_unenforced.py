"""Limits that a pool ignores are named; what it keeps is not."""

import pytest
from celery import Celery
from celery.concurrency import get_implementation

from umbel.worker.slots import SlotPool
from umbel.worker.unenforced import unenforced_limits


@pytest.fixture
def app():
    app = Celery("limits", broker="memory://", set_as_current=False)
    app.conf.task_time_limit = 300

    @app.task(name="limits.own", shared=False, soft_time_limit=2.5, time_limit=30)
    def own(): ...

    yield app
    app.close()


@pytest.mark.parametrize("name", ["solo", "threads"])
def test_a_pool_without_limits_names_the_general_ones_and_those_of_tasks(app, name):
    pool = get_implementation(name)(1, app=app)
    assert unenforced_limits(pool, app) == [
        "task_time_limit=300",
        "limits.own.time_limit=30",
        "limits.own.soft_time_limit=2.5",
    ]


@pytest.mark.parametrize("pool", [get_implementation("prefork"), SlotPool])
def test_a_pool_that_enforces_all_names_none(app, pool):
    assert unenforced_limits(pool(1, app=app), app) == []


def test_an_app_without_limits_has_nothing_to_warn_of():
    app = Celery("free", broker="memory://", set_as_current=False)
    assert unenforced_limits(get_implementation("solo")(1, app=app), app) == []
    app.close()
