"""The catalogue of keys, read off the model: what each one holds, and how an error should name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path as FilePath
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AfterValidator, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from umbel.config.alternatives import alternatives, is_optional, markers
from umbel.config.durations import DURATION_EXAMPLE
from umbel.config.section import NOTHING
from umbel.config.settings import Settings
from umbel.config.sizes import SIZE_EXAMPLE, Bytes
from umbel.config.toml_lines import Path
from umbel.config.urls import Url, UrlRule
from umbel.config.written import human

__all__ = ["RAW", "Key", "as_bool", "keys", "sections", "variable"]

RAW = "celery"
"""The section whose keys are Celery's own."""

_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the configuration."""

    path: Path
    field: FieldInfo

    @property
    def name(self) -> str:
        """The key as people write it: ``broker.lease``."""
        return ".".join(self.path)

    @property
    def description(self) -> str:
        """What it means, in one or two sentences."""
        return self.field.description or ""

    @property
    def optional(self) -> bool:
        """Whether ``"none"`` unsets it."""
        return is_optional(self.field.annotation)

    @property
    def required(self) -> bool:
        """Whether its section cannot be without it."""
        return self.field.is_required()

    @property
    def secret(self) -> bool:
        """Whether it must not stand in a file."""
        return SecretStr in self.kinds

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types that it may hold."""
        return alternatives(self.field.annotation)

    @property
    def default(self) -> Any:  # noqa: ANN401 - a value of any of the kinds
        """The built-in default; None also where there is none."""
        return None if self.required else self.field.get_default(call_default_factory=True)

    @property
    def expectation(self) -> str:
        """What an error says was expected: ``an integer >= 1``."""
        metadata = (*self.field.metadata, *markers(self.field.annotation))
        words = [_describe(kind, metadata) for kind in self.kinds]
        return " or ".join([*words, f'"{NOTHING}"'] if self.optional and not self.secret else words)

    def from_text(self, text: str) -> Any:  # noqa: ANN401 - a value of any of the kinds, or the text
        """Read what a variable of the environment holds; text that is not of the kind stays text."""
        for kind in self.kinds:
            value = _read(kind, text)
            if value is not None:
                return value
        return text


@cache
def keys() -> dict[Path, Key]:
    """Return all keys by path, in the order of the model. ``[celery]`` has none of its own."""
    return {key.path: key for key in _walk(Settings, ())}


@cache
def sections() -> dict[Path, str]:
    """Return the tables, and what each is about."""
    return dict(_tables(Settings, ()))


def as_bool(text: str) -> bool | str:
    """Return what a variable of the environment means as a boolean, or the text where it means none."""
    return _TRUTH.get(text.lower(), text)


def variable(path: Path) -> str:
    """Return the name of the environment variable for a key.

    >>> variable(("broker", "lease"))
    'UMBEL__BROKER__LEASE'
    """
    return "__".join(("UMBEL", *path)).upper()


def _walk(model: type[BaseModel], at: Path) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        inner = _model(field)
        if inner is not None:
            yield from _walk(inner, (*at, name))
        elif (*at, name) != (RAW,):
            yield Key((*at, name), field)


def _tables(model: type[BaseModel], at: Path) -> Iterator[tuple[Path, str]]:
    for name, field in model.model_fields.items():
        inner = _model(field)
        if inner is not None:
            yield (*at, name), (inner.__doc__ or "").strip()
            yield from _tables(inner, (*at, name))
        elif (*at, name) == (RAW,):
            yield (RAW,), field.description or ""


def _model(field: FieldInfo) -> type[BaseModel] | None:
    return next(
        (kind for kind in alternatives(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)),
        None,
    )


def _describe(kind: Any, metadata: tuple[Any, ...]) -> str:  # noqa: ANN401 - any type form
    if get_origin(kind) is Literal:
        choices = [f'"{choice}"' for choice in get_args(kind)]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if kind is Url:
        return next(rule.expectation for rule in _validators(metadata) if isinstance(rule, UrlRule))
    return _WORDS[kind] + _bounds(kind, metadata)


_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    str: "text",
    timedelta: DURATION_EXAMPLE,
    Bytes: SIZE_EXAMPLE,
    SecretStr: "text",
    FilePath: "a path",
}


def _validators(metadata: tuple[Any, ...]) -> list[object]:
    return [marker.func for marker in metadata if isinstance(marker, AfterValidator)]


def _bounds(kind: Any, metadata: tuple[Any, ...]) -> str:  # noqa: ANN401 - any type form
    if any(isinstance(marker, MinLen) for marker in metadata):
        return ", not empty"
    low = next((m for m in metadata if isinstance(m, (Ge, Gt))), None)
    high = next((m for m in metadata if isinstance(m, Le)), None)
    if kind is int and low is not None and high is not None:
        return f" from {_bound(low)} to {_bound(high)}"
    if low is None or (isinstance(low, Ge) and _bound(low) == timedelta(0)):
        return ""
    if kind is int:
        return f" >= {_bound(low)}"
    words = "at least" if isinstance(low, Ge) else "more than"
    return f", {words} {human(Bytes(_bound(low)) if kind is Bytes else _bound(low))}"


def _bound(marker: Any) -> Any:  # noqa: ANN401 - one of annotated_types' markers
    return next(getattr(marker, name) for name in ("ge", "gt", "le") if hasattr(marker, name))


def _read(kind: Any, text: str) -> Any:  # noqa: ANN401 - a value, or None where the text is of another kind
    if kind is bool and isinstance(as_bool(text), bool):
        return as_bool(text)
    if kind is int:
        try:
            return int(text)
        except ValueError:
            return None
    return None
