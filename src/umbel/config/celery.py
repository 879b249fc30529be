"""The only translator: Umbel's settings in, Celery's settings out.

Three kinds of Celery settings come out. Those that a key of ours speaks for (:data:`raw.OWNED`) can be
said only there. Safer defaults (:data:`SAFE_DEFAULTS`) hold unless ``[celery]`` says otherwise. All else of
``[celery]`` passes through.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from umbel.config.connections import full_url, is_redis
from umbel.config.sections import BrokerSettings
from umbel.config.settings import Settings
from umbel.config.table import Table
from umbel.config.urls import Url

__all__ = ["SAFE_DEFAULTS", "speaks_umbel", "translate"]

SAFE_DEFAULTS: dict[str, Any] = {
    "accept_content": ["json"],
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_pool_limit": 10,
    "enable_utc": True,
    "event_queue_expires": 60.0,
    "event_queue_ttl": 5.0,
    "event_serializer": "json",
    "result_accept_content": ["json"],
    "result_serializer": "json",
    "task_acks_on_failure_or_timeout": True,
    "task_publish_retry": True,
    "task_serializer": "json",
    "task_track_started": False,
    "timezone": "UTC",
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_consumer": "umbel.worker.consumer:Consumer",
    "worker_hijack_root_logger": False,
    "worker_prefetch_multiplier": 1,
}
"""What Umbel sets in Celery without a key of its own; ``[celery]`` may say otherwise."""

_SCHEMES = {"sqlite": "sqlite", "memory": "umbel-memory"}
_STOCK_SCHEMES = {"sqlite": "sqla+sqlite"}
_RESULT_SCHEMES = {"memory": "cache+memory"}


def translate(settings: Settings) -> dict[str, Any]:
    """Return Celery's settings for these settings of ours, in Celery's new-style names.

    Durations are seconds, sizes bytes, except ``worker_max_memory_per_child``, which Celery has in
    KiB. The URLs hold the passwords: the result is a secret.
    """
    raw = Table.thaw(settings.celery)
    raw_options = raw.pop("broker_transport_options", {})
    return {
        **Table.thaw(SAFE_DEFAULTS),
        **_broker(settings, raw_options),
        **_results(settings, raw.pop("result_backend_transport_options", {})),
        **_tasks(settings),
        **_worker(settings),
        **raw,
    }


def speaks_umbel(broker: BrokerSettings) -> bool:
    """Return whether the broker is reached by a transport of Umbel's."""
    return broker.transport == "auto" and broker.url.scheme in _SCHEMES


def _broker(settings: Settings, raw_options: dict[str, Any]) -> dict[str, Any]:
    broker = settings.broker
    schemes = _SCHEMES if broker.transport == "auto" else _STOCK_SCHEMES
    options = _transport_options(settings) if speaks_umbel(broker) else _prefix(broker.url, broker.prefix)
    return {
        "broker_url": _with_scheme(full_url(broker), schemes),
        "broker_transport_options": {**options, **raw_options},
    }


def _transport_options(settings: Settings) -> dict[str, Any]:
    broker = settings.broker
    return {
        "busy_timeout": _seconds(broker.busy_timeout),
        "crash_limit": settings.tasks.crash_limit,
        "dedup_window": _seconds(broker.dedup_window),
        "lease": _seconds(broker.lease),
        "max_message_size": int(broker.max_message_size),
        "poll_interval": _seconds(broker.poll_interval),
        "synchronous": broker.synchronous,
    }


def _results(settings: Settings, raw_options: dict[str, Any]) -> dict[str, Any]:
    results = settings.results
    options = {**_prefix(results.url, results.prefix), **_file_options(settings), **raw_options}
    return {
        "result_backend": _with_scheme(full_url(results), _RESULT_SCHEMES),
        "result_chord_expires": _optional_seconds(results.chord_expires),
        "result_expires": _optional_seconds(results.expires),
        **({"result_backend_transport_options": options} if options else {}),
    }


def _file_options(settings: Settings) -> dict[str, Any]:
    """Results in a SQLite file are kept as durably, and wait as long for a lock, as the broker's messages."""
    if not settings.results.url.startswith("sqlite:"):
        return {}
    return {"busy_timeout": _seconds(settings.broker.busy_timeout), "synchronous": settings.broker.synchronous}


def _tasks(settings: Settings) -> dict[str, Any]:
    tasks = settings.tasks
    return {
        "task_acks_late": tasks.acks_late,
        "task_default_priority": tasks.default_priority,
        "task_default_queue": tasks.default_queue,
        "task_reject_on_worker_lost": tasks.reject_on_worker_lost,
        "task_soft_time_limit": _optional_seconds(tasks.soft_time_limit),
        "task_time_limit": _optional_seconds(tasks.time_limit),
    }


def _worker(settings: Settings) -> dict[str, Any]:
    memory = settings.worker.max_memory_per_shard
    return {
        "worker_max_memory_per_child": None if memory is None else max(1, memory // 1024),
        "worker_max_tasks_per_child": settings.worker.max_tasks_per_shard,
    }


def _prefix(url: Url, prefix: str) -> dict[str, Any]:
    return {"global_keyprefix": prefix} if prefix and is_redis(url) else {}


def _with_scheme(url: Url, schemes: dict[str, str]) -> str:
    """Return a plain ``str``: kombu takes URLs apart and passes the parts on."""
    scheme = schemes.get(url.scheme, url.scheme)
    return str.__add__(scheme, url[len(url.scheme) :])


def _optional_seconds(value: timedelta | None) -> float | None:
    return None if value is None else _seconds(value)


def _seconds(value: timedelta) -> float:
    seconds = value.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds
