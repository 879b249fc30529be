"""How values are shown: as they would stand in a TOML file, with secrets hidden."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import singledispatch
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from umbel.config.durations import format_duration
from umbel.config.section import NOTHING
from umbel.config.sizes import Bytes, format_size
from umbel.config.table import without_secrets
from umbel.config.urls import hide

__all__ = ["HIDDEN", "human"]

HIDDEN = '"***"'
"""What stands for a secret."""


@singledispatch
def human(value: object) -> str:
    """Write a value as it stands in a TOML file, with secrets hidden.

    >>> human(timedelta(minutes=5)), human("redis://:hunter2@host/1")
    ('"5m"', '"redis://:***@host/1"')
    """
    return str(value)


@human.register
def _(value: None) -> str:  # noqa: ARG001 - dispatched on its type
    return f'"{NOTHING}"'


@human.register
def _(value: bool) -> str:  # noqa: FBT001 - dispatched on its type
    return str(value).lower()


@human.register
def _(value: timedelta) -> str:
    return f'"{format_duration(value)}"'


@human.register
def _(value: Bytes) -> str:
    return f'"{format_size(value)}"'


@human.register
def _(value: SecretStr) -> str:
    return HIDDEN if value else '""'


@human.register(str)
@human.register(Path)
def _(value: str | Path) -> str:
    return json.dumps(hide(value) if isinstance(value, str) else str(value), ensure_ascii=False)


@human.register
def _(value: dict) -> str:  # type: ignore[type-arg]
    shown = without_secrets(value)
    return "{" + ", ".join(f"{json.dumps(name)} = {human(item)}" for name, item in shown.items()) + "}"


@human.register(list)
@human.register(tuple)
def _(value: list[Any] | tuple[Any, ...]) -> str:
    return "[" + ", ".join(human(item) for item in value) + "]"
