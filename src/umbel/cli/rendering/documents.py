"""Frozen results as JSON: field names as they stand, times in ISO 8601 with their zone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

__all__ = ["as_json", "jsonable"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def jsonable(value: Any) -> Any:  # noqa: ANN401 - any result
    """Return the value in JSON's own types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: jsonable(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:  # noqa: ANN401 - any result
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def as_json(value: Any) -> str:  # noqa: ANN401 - any result
    """Return the value as one JSON document, indented, in text that UTF-8 can carry."""
    document = json.dumps(jsonable(value), indent=2, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
