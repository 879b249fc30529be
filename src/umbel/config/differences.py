"""How the settings of an existing Celery app differ from Umbel's, as data: what ``umbel.install`` shows.

Where messages and results are kept is the app's own business and is no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from umbel import _celery
from umbel.config.celery import translate
from umbel.config.settings import Settings

__all__ = ["Difference", "differences"]

REASONS = {
    "accept_content": "JSON only: a pickled message can run any code",
    "broker_connection_retry": "a broker that restarts does not end the worker",
    "broker_connection_retry_on_startup": "a worker may start before its broker",
    "broker_pool_limit": "connections to the broker are bounded",
    "enable_utc": "times are in UTC on every machine",
    "event_queue_expires": "the queue of a monitor that went away is deleted",
    "event_queue_ttl": "events nobody read are deleted",
    "event_serializer": "JSON only",
    "result_accept_content": "JSON only: a pickled result can run any code",
    "result_chord_expires": "an unfinished chord is not kept for ever",
    "result_expires": "results are deleted when nobody needs them any more",
    "result_serializer": "JSON only",
    "task_acks_late": "a crash repeats a task and never loses it",
    "task_acks_on_failure_or_timeout": "a task that failed is done; it does not come back",
    "task_default_priority": "messages that name no priority have the same one on every broker",
    "task_publish_retry": "a short outage of the broker does not fail the caller",
    "task_reject_on_worker_lost": "a task whose process died runs again",
    "task_serializer": "JSON only",
    "task_soft_time_limit": "a task is told to end before it is killed",
    "task_time_limit": "no task blocks a worker for ever",
    "task_track_started": "one write less for each task",
    "timezone": "times are in UTC on every machine",
    "worker_cancel_long_running_tasks_on_connection_loss": "what the broker gives to another worker does not run twice",
    "worker_consumer": "broken messages become dead letters and unknown tasks wait for a worker that knows them",
    "worker_hijack_root_logger": "the application's own logging is left alone",
    "worker_max_memory_per_child": "a process that leaks memory is replaced",
    "worker_max_tasks_per_child": "a process that leaks is replaced",
    "worker_prefetch_multiplier": "no task waits behind a slow one while another worker is idle",
}
"""Why Umbel sets what it sets."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting in which the app and Umbel differ.

    ``app_value`` is the app's, and ``umbel_value`` what Umbel would set: assign it to ``app.conf`` to adopt it.
    ``chosen`` is whether the app's value differs from Celery's default too, so that somebody meant it.
    """

    key: str
    app_value: Any
    umbel_value: Any
    chosen: bool
    reason: str


def differences(conf: Mapping[str, Any], settings: Settings) -> tuple[Difference, ...]:
    """Return what an app's ``conf`` has otherwise than Umbel's settings would, by name of the setting.

    >>> from celery import Celery
    >>> [item.key for item in differences(Celery(set_as_current=False).conf, Settings())][:2]
    ['broker_connection_retry_on_startup', 'event_queue_expires']
    """
    ours = translate(settings)
    found = (_difference(key, conf.get(key), ours[key]) for key in sorted(REASONS) if key in ours)
    return tuple(
        item for item in found if _comparable(item.app_value, item.key) != _comparable(item.umbel_value, item.key)
    )


def _difference(key: str, theirs: object, ours: object) -> Difference:
    default = _celery.setting_options()[key].default
    chosen = _comparable(theirs, key) != _comparable(default, key)
    return Difference(key, theirs, ours, chosen=chosen, reason=REASONS[key])


def _comparable(value: Any, key: str) -> Any:  # noqa: ANN401 - any value of a setting
    """Bring what means the same to Celery into one form."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (list, tuple, set, frozenset)):
        return sorted(str(item) for item in value)
    if key == "timezone":
        return str(value or "UTC").upper()
    return value
