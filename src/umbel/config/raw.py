"""The ``[celery]`` section: Celery's own settings, checked against Celery's own list of them.

A raw key for which Umbel has a key of its own is a conflict, so that one thing is never said in two
places. Every other setting of Celery's is reachable, those that Umbel sets to a safer default included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from umbel import _celery
from umbel.config.keys import as_bool
from umbel.config.layers import Layer, Origin, walk
from umbel.config.problems import Problem, found
from umbel.config.toml_lines import Path
from umbel.errors import ConflictError, UnknownKeyError

__all__ = ["LOOSE", "OWNED", "TRANSPORT_OPTIONS", "from_text", "problems"]

_BROKER_PARTS = ("host", "port", "user", "password", "vhost", "transport")

OWNED: dict[str, Path] = {
    "broker_url": ("broker", "url"),
    **{f"broker_{part}": ("broker", "url") for part in _BROKER_PARTS},
    "broker_user": ("broker", "username"),
    "broker_password": ("broker", "password"),
    "result_backend": ("results", "url"),
    "result_chord_expires": ("results", "chord_expires"),
    "result_expires": ("results", "expires"),
    "task_acks_late": ("tasks", "acks_late"),
    "task_default_priority": ("tasks", "default_priority"),
    "task_default_queue": ("tasks", "default_queue"),
    "task_reject_on_worker_lost": ("tasks", "reject_on_worker_lost"),
    "task_soft_time_limit": ("tasks", "soft_time_limit"),
    "task_time_limit": ("tasks", "time_limit"),
    "worker_max_memory_per_child": ("worker", "max_memory_per_shard"),
    "worker_max_tasks_per_child": ("worker", "max_tasks_per_shard"),
}
"""Celery's settings that a key of ours speaks for."""

TRANSPORT_OPTIONS: dict[str, Path] = {
    "busy_timeout": ("broker", "busy_timeout"),
    "crash_limit": ("tasks", "crash_limit"),
    "dedup_window": ("broker", "dedup_window"),
    "lease": ("broker", "lease"),
    "max_message_size": ("broker", "max_message_size"),
    "poll_interval": ("broker", "poll_interval"),
    "synchronous": ("broker", "synchronous"),
}
"""Options of Umbel's transports that a key of ours speaks for, in ``broker_transport_options``."""

_OPTIONS = ("celery", "broker_transport_options")
_EXPECTED = {
    "bool": ("true or false", bool),
    "int": ("an integer", int),
    "float": ("a number of seconds", (int, float)),
}
LOOSE = {"broker_use_ssl", "task_queues", "worker_concurrency"}
"""What Celery takes in more forms than its own list says."""


def from_text(path: Path, text: str) -> Any:  # noqa: ANN401 - a value of any type
    """Read what a variable ``UMBEL__CELERY__...`` holds, as the setting's type or as JSON."""
    option = _celery.setting_options().get(path[0]) if len(path) == 1 else None
    if option is not None and option.type == "bool":
        return as_bool(text)
    if option is not None and option.type == "string":
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def problems(layer: Layer) -> Iterator[Problem]:
    """Yield what is wrong with the raw settings of the merged configuration."""
    table = layer.values.get("celery", {})
    if not isinstance(table, Mapping):
        return
    for name, value in table.items():
        yield from _of_setting(name, value, layer.origin(("celery", name)))
    options = table.get("broker_transport_options", {})
    for path, value in walk(options) if isinstance(options, Mapping) else ():
        if len(path) == 1 and path[0] in TRANSPORT_OPTIONS:
            yield _owned((*_OPTIONS, *path), TRANSPORT_OPTIONS[path[0]], value, layer.origin((*_OPTIONS, *path)))


def _of_setting(name: str, value: object, origin: Origin) -> Iterator[Problem]:
    option = _celery.setting_options().get(name)
    if option is None:
        yield _unknown(name, origin)
    elif name in OWNED:
        yield _owned(("celery", name), OWNED[name], value, origin)
    elif not _fits(option, value):
        expected = _EXPECTED[option.type][0]
        yield Problem(
            key=f"celery.{name}",
            origin=origin,
            expected=expected,
            found=found(value),
            remedy="this is passed to Celery as it is; see Celery's reference of settings",
        )


def _fits(option: _celery.SettingOption, value: object) -> bool:
    if option.type not in _EXPECTED or option.name in LOOSE:
        return True
    allowed: Any = _EXPECTED[option.type][1]
    return isinstance(value, allowed) and (option.type == "bool") == isinstance(value, bool)


def _owned(path: Path, ours: Path, value: object, origin: Origin) -> Problem:
    key = ".".join(ours)
    return Problem(
        key=".".join(path),
        origin=origin,
        kind=ConflictError,
        expected=f"this to be said by {key}",
        found="a value that is not shown" if "url" in ours or "password" in ours else found(value),
        remedy=f"remove {path[-1]} from [{'.'.join(path[:-1])}] and set {key}",
    )


def _unknown(name: str, origin: Origin) -> Problem:
    options = _celery.setting_options()
    new = next((option.name for option in options.values() if name.upper() in option.old), None)
    near = get_close_matches(name.lower(), options, n=1)
    if new is not None:
        remedy = f"its name is {new} (lowercase, as since Celery 4)"
    else:
        remedy = f"did you mean celery.{near[0]}?" if near else "umbel config schema lists the settings of Celery"
    return Problem(
        key=f"celery.{name}",
        origin=origin,
        kind=UnknownKeyError,
        expected="a setting of Celery",
        found=f"the unknown setting {name!r}",
        remedy=remedy,
    )
