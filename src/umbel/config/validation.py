"""From merged values to :class:`Settings`, or to the list of all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from umbel.config.keys import Key, keys, sections, variable
from umbel.config.layers import Kind, Layer, Origin
from umbel.config.problems import Problem, found
from umbel.config.settings import Settings
from umbel.config.toml_lines import Path
from umbel.config.urls import Url
from umbel.config.written import human
from umbel.errors import UnknownKeyError

__all__ = ["validate"]


def validate(layer: Layer) -> tuple[Settings | None, list[Problem]]:
    """Return the settings, or None and every problem that the model has with the values."""
    try:
        return Settings.model_validate(dict(layer.values)), []
    except ValidationError as error:
        problems = [_problem(details, layer) for details in error.errors(include_url=False)]
        return None, list({problem.key: problem for problem in problems}.values())


def _problem(details: ErrorDetails, layer: Layer) -> Problem:
    path = _path(details)
    origin = layer.origin(path)
    if details["type"] == "extra_forbidden":
        return _unknown(path, origin)
    if path not in keys():
        return _not_a_table(path, details["input"], origin)
    return _wrong(keys()[path], details, origin, _said(layer, path, details["input"]))


def _path(details: ErrorDetails) -> Path:
    """Return the key of an error; pydantic adds the alternatives of a union behind it."""
    path = tuple(str(part) for part in details["loc"])
    return next((path[:end] for end in range(1, len(path)) if path[:end] in keys()), path)


def _said(layer: Layer, path: Path, otherwise: object) -> object:
    """Return the value as it was written, which a validator may have read already."""
    value: Any = layer.values
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return otherwise
        value = value[name]
    return value


def _wrong(key: Key, details: ErrorDetails, origin: Origin, value: object) -> Problem:
    missing = details["type"] == "missing"
    return Problem(
        key=key.name,
        origin=origin,
        expected=key.expectation,
        found="nothing" if missing else _shown(key, value),
        remedy=details.get("ctx", {}).get("remedy") or _remedy(key, value, missing=missing),
    )


def _shown(key: Key, value: object) -> str:
    if key.secret:
        return "a value that is not shown"
    if isinstance(value, str) and Url in key.kinds and ("@" in value or Url(value).masked != value):
        return f"the URL {Url(value).masked!r}"
    return found(value)


def _remedy(key: Key, value: object, *, missing: bool) -> str:
    if missing:
        return f"set {key.name}, or {variable(key.path)} in .env or the environment"
    choices = [word.strip('"') for word in key.expectation.replace("one of ", "").split(", ")]
    near = get_close_matches(str(value).upper(), choices, n=1) or get_close_matches(str(value).lower(), choices, n=1)
    if near and not isinstance(value, bool):
        return f'did you mean "{near[0]}"?'
    return f"change it, or remove it for the default {human(key.default)}"


def _not_a_table(path: Path, value: object, origin: Origin) -> Problem:
    name = ".".join(path)
    return Problem(
        key=name,
        origin=origin,
        expected=f"a table [{name}]",
        found=found(value),
        remedy=f"write [{name}] on a line of its own and its keys below it",
    )


def _unknown(path: Path, origin: Origin) -> Problem:
    name = ".".join(path)
    near = _nearest(path)
    if near is not None and origin.kind in (Kind.ENVIRONMENT, Kind.DOTENV):
        remedy = f"did you mean {variable(near)}?"
    elif near is not None:
        remedy = f"did you mean {'.'.join(near)}?"
    else:
        remedy = f"the keys here are {', '.join(_siblings(path))}"
    return Problem(
        key=name,
        origin=origin,
        kind=UnknownKeyError,
        expected="a key that Umbel knows",
        found=f"the unknown key {path[-1]!r}",
        remedy=remedy,
    )


def _nearest(path: Path) -> Path | None:
    """Return the likeliest key: of the same table, then of the same name elsewhere, then alike at all."""
    for candidates, wanted in _candidates(path):
        near = get_close_matches(wanted, candidates, n=1, cutoff=0.7)
        if near:
            return candidates[near[0]]
    return None


def _candidates(path: Path) -> Iterator[tuple[dict[str, Path], str]]:
    everything = [known for known in (*keys(), *sections()) if known != path[: len(known)]]
    yield {known[-1]: known for known in everything if known[:-1] == path[:-1]}, path[-1]
    yield {known[-1]: known for known in reversed(everything) if known[-1] == path[-1]}, path[-1]
    yield {".".join(known): known for known in everything}, ".".join(path)
    yield {known[-1]: known for known in reversed(everything)}, path[-1]


def _siblings(path: Path) -> list[str]:
    return [known[-1] for known in [*keys(), *sections()] if known[:-1] == path[:-1]]
