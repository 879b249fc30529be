"""Layers of configuration, and how one lies over another: tables merge, everything else is replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from typing import Any

from umbel.config.toml_lines import Path

__all__ = ["BUILT_IN", "Kind", "Layer", "Origin", "merge", "overlay", "walk"]


class Kind(StrEnum):
    """The kinds of layers, from the lowest to the highest."""

    DEFAULT = "default"
    FILE = "file"
    DOTENV = "dotenv"
    ENVIRONMENT = "environment"
    ARGUMENT = "argument"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was said: a file and its line, a variable, or nowhere (the built-in default)."""

    kind: Kind
    file: str = ""
    line: int | None = None
    variable: str = ""

    def __str__(self) -> str:
        match self.kind:
            case Kind.DEFAULT:
                return "built-in default"
            case Kind.ENVIRONMENT:
                return f"environment {self.variable}"
            case Kind.ARGUMENT:
                return "argument of the program"
        return self.file if self.line is None else f"{self.file}:{self.line}"


BUILT_IN = Origin(Kind.DEFAULT)
"""The origin of what no layer says."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Some values as nested tables, and the origin of each key in them."""

    values: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[Path, Origin] = field(default_factory=dict)

    def says(self, path: Path) -> bool:
        """Return whether the layer holds a value at this path."""
        table: Any = self.values
        for name in path:
            if not isinstance(table, Mapping) or name not in table:
                return False
            table = table[name]
        return True

    def origin(self, path: Path) -> Origin:
        """Return where the key, or the nearest table around it, was said."""
        return next(
            (self.origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.origins), BUILT_IN
        )

    def origin_of_value(self, path: Path) -> Origin:
        """Return where the value was said; the built-in default if no layer says it."""
        return self.origin(path) if self.says(path) else BUILT_IN


def merge(layers: Iterable[Layer]) -> Layer:
    """Lay the layers over each other, the lowest first."""
    return reduce(overlay, layers, Layer())


def overlay(lower: Layer, upper: Layer) -> Layer:
    """Return the lower layer with the upper one over it."""
    replaced = {path for path, value in walk(upper.values) if not _both_tables(lower, path, value)}
    kept = {path: origin for path, origin in lower.origins.items() if not _covered(path, replaced)}
    return Layer(_deep(lower.values, upper.values), {**kept, **upper.origins})


def walk(values: Mapping[str, Any], at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every key with its path, tables before what is in them."""
    for name, value in values.items():
        yield (*at, name), value
        if isinstance(value, Mapping):
            yield from walk(value, (*at, name))


def _both_tables(lower: Layer, path: Path, value: object) -> bool:
    table: Any = lower.values
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return isinstance(value, Mapping) and isinstance(table, Mapping)


def _covered(path: Path, replaced: set[Path]) -> bool:
    return any(path[:end] in replaced for end in range(1, len(path) + 1))


def _deep(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for name, value in upper.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[name] = _deep(old, value)
        else:
            merged[name] = value
    return merged
