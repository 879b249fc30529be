"""What makes an app's tasks Umbel's: declared options, the behaviour around bodies, the transports.

The same for an :class:`~umbel.app.Umbel` and for any Celery app that Umbel is installed on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import celery
from celery import signals
from celery.exceptions import CDeprecationWarning

import umbel.transports  # noqa: F401 - importing it registers the URL schemes
from umbel import _celery
from umbel.config import Settings
from umbel.execution.body import wrap_body
from umbel.execution.failures import observe_failures
from umbel.tasks import Retry, declared_of, pack, repair

__all__ = ["equip", "equip_task"]


def equip(app: celery.Celery, settings: Settings) -> None:
    """Give the app Umbel's behaviour, for the tasks that it has and for those to come.

    It is done once: an app that has it already gets the settings only.
    """
    equipped = hasattr(app, "settings")
    app.settings = settings
    if equipped:
        return
    _celery.intercept_task_building(app, partial(_build, app))
    app.register_task = partial(_register, app, app.register_task)
    for task in _celery.registered_tasks(app):
        equip_task(app, task)
    for proxy in _celery.pending_tasks(app):
        _celery.when_built(proxy, partial(_equip_all, app))
    observe_failures()
    signals.worker_init.connect(_verify, weak=False, dispatch_uid="umbel.app.equipment")


def equip_task(app: celery.Celery, task: Any) -> None:  # noqa: ANN401 - any Celery task
    """Give one registered task Umbel's behaviour; doing it twice changes nothing."""
    repair(task)
    _fit_soft_limit(app, task)
    rule = declared_of(task).retry or Retry()
    wrap_body(task, rule.filled(_default_rule(app.settings)))


def _fit_soft_limit(app: celery.Celery, task: Any) -> None:  # noqa: ANN401 - any Celery task
    """Let a task declare a short ``time_limit`` alone: the default soft limit then shrinks in proportion.

    Celery would refuse each of its calls, because the default soft limit is longer than the hard one.
    """
    soft, hard = app.conf.task_soft_time_limit, app.conf.task_time_limit
    if not (soft and task.time_limit and task.soft_time_limit == soft > task.time_limit):
        return
    share = soft / hard if hard and hard > soft else 1.0
    type(task).soft_time_limit = task.time_limit * share


def _default_rule(settings: Settings) -> Retry:
    given = settings.tasks.retry
    return Retry(attempts=given.attempts, backoff=given.backoff, max_delay=given.max_delay, jitter=given.jitter)


def _build(app: celery.Celery, original: Callable[..., Any], fun: Any, **options: Any) -> Any:  # noqa: ANN401 - as _task_from_fun
    """Build a task as Celery does, with the declared options taken out.

    ``queue=`` and its like are part of how an Umbel task is declared, so Celery's warning that it may
    one day read them elsewhere is not for the user of this version.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*The '\w+' task attribute", category=CDeprecationWarning)
        task = original(fun, **pack(options))
    equip_task(app, task)
    return task


def _register(app: celery.Celery, original: Callable[..., Any], task: Any, **options: Any) -> Any:  # noqa: ANN401 - as register_task
    registered = original(task, **options)
    equip_task(app, registered)
    return registered


def _equip_all(app: celery.Celery) -> None:
    for task in _celery.registered_tasks(app):
        equip_task(app, task)


def _verify(**_: Any) -> None:  # noqa: ANN401 - a signal's arguments
    _celery.verify()
