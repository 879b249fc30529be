"""The JSON Schema of the TOML files, for editors and for checks in a pipeline.

It is the model's own schema made fit for TOML: secrets are left out, because they must not stand in a
file, ``"none"`` stands where JSON would have null, and defaults are written as people write them.
"""

from __future__ import annotations

import tomllib
from typing import Any

from umbel import _celery
from umbel.config import raw
from umbel.config.keys import RAW, Key, keys
from umbel.config.section import NOTHING
from umbel.config.settings import Settings
from umbel.config.toml_lines import Path
from umbel.config.urls import is_secret_name
from umbel.config.written import human

__all__ = ["schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CELERY_TYPES = {"bool": "boolean", "int": "integer", "float": "number"}
_NOT_JSON = {"title", "default", "gt", "ge", "anyOf"}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``default.toml`` and its siblings, JSON-ready."""
    model = Settings.model_json_schema()
    table = _table(model, (), model["$defs"])
    return {
        "$schema": _DIALECT,
        "title": "Umbel's configuration",
        **table,
        "description": "All settings without secrets.",
    }


def _table(table: dict[str, Any], path: Path, definitions: dict[str, Any]) -> dict[str, Any]:
    properties = {}
    for name, value in table["properties"].items():
        at = (*path, name)
        inner = _reference(value)
        if inner is not None:
            properties[name] = _table(definitions[inner], at, definitions)
        elif at == (RAW,):
            properties[name] = _celery_section(value["description"])
        elif not keys()[at].secret:
            properties[name] = _property(value, keys()[at])
    return {
        "type": "object",
        "description": table["description"],
        "properties": properties,
        "additionalProperties": False,
    }


def _reference(value: dict[str, Any]) -> str | None:
    found = [item["$ref"] for item in [value, *value.get("anyOf", [])] if "$ref" in item]
    return found[0].rpartition("/")[2] if found else None


def _property(value: dict[str, Any], key: Key) -> dict[str, Any]:
    default = {} if key.required else {"default": tomllib.loads(f"default = {human(key.default)}")["default"]}
    return {**_without(value, "description"), "description": key.description, **_choices(value), **default}


def _choices(value: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" not in value:
        return {}
    return {"anyOf": [{"const": NOTHING} if item == {"type": "null"} else _without(item) for item in value["anyOf"]]}


def _without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in _NOT_JSON and name not in names}


def _celery_section(description: str) -> dict[str, Any]:
    options = _celery.setting_options()
    names = [name for name in sorted(options) if name not in raw.OWNED and not is_secret_name(name)]
    properties = {name: _celery_property(options[name]) for name in names}
    return {"type": "object", "description": description, "properties": properties, "additionalProperties": False}


def _celery_property(option: _celery.SettingOption) -> dict[str, Any]:
    kind = _CELERY_TYPES.get(option.type) if option.name not in raw.LOOSE else None
    finite = isinstance(option.default, (bool, int, str)) or (
        isinstance(option.default, float) and option.default != float("inf")
    )
    return {**({"type": kind} if kind else {}), **({"default": option.default} if finite else {})}
