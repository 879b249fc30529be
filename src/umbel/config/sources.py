"""The sources of configuration, read into layers: TOML files, ``.env``, the environment.

Each reader returns its layer and the problems that it met, so that one error can say all of them.
Only variables that begin with ``UMBEL__`` are read; one that misses that by a hair is an error, and everything
else in ``.env`` and in the environment is the application's own. An empty variable counts as not set.
"""

from __future__ import annotations

import io
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from dotenv.parser import Binding, parse_stream

from umbel.config import raw
from umbel.config.keys import RAW, keys, variable
from umbel.config.layers import Kind, Layer, Origin
from umbel.config.problems import Problem
from umbel.config.toml_lines import Path, locate
from umbel.errors import UnknownKeyError

__all__ = ["PREFIX", "Source", "Variables", "read_dotenv", "read_toml", "shown", "variables"]

PREFIX = "UMBEL__"
"""What the variables of the environment begin with: ``UMBEL__SECTION__KEY``."""

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Source:
    """A layer, and what was wrong with it."""

    layer: Layer
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Variables:
    """Variables with the place of each."""

    values: Mapping[str, str]
    origins: Mapping[str, Origin]
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Variables:
        """Return the variables of a process."""
        return cls(environment, {name: Origin(Kind.ENVIRONMENT, variable=name) for name in environment})


def read_toml(file: FilePath) -> Source:
    """Read one TOML file; a file that does not exist is an empty layer."""
    name = shown(file)
    text, problems = _read_text(file)
    if text is None:
        return Source(Layer(), problems)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        return Source(Layer(), (_not_toml(name, text, str(problem)),))
    origins = {
        path: Origin(Kind.FILE, file=name, line=line) for path, line in locate(text.replace("\r\n", "\n")).items()
    }
    return Source(Layer(values, origins))


def read_dotenv(file: FilePath) -> Variables:
    """Read a ``.env`` file. Values are taken as they stand: ``${NAME}`` is not expanded."""
    text, problems = _read_text(file)
    if text is None:
        return Variables({}, {}, problems)
    values: dict[str, str] = {}
    origins: dict[str, Origin] = {}
    wrong: list[Problem] = []
    for binding in parse_stream(io.StringIO(text)):
        origin = Origin(Kind.DOTENV, file=shown(file), line=_line(binding))
        if binding.error:
            wrong.append(_not_assignment(origin))
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
            origins[binding.key] = origin
    return Variables(values, origins, tuple(wrong))


def variables(source: Variables) -> Source:
    """Turn the variables that begin with ``UMBEL__`` into a layer, each read as its key's type."""
    values: dict[str, Any] = {}
    origins: dict[Path, Origin] = {}
    problems: list[Problem] = list(source.problems)
    # Shorter names first, so that a table given whole is there before what is put into it.
    for name in sorted(name for name, text in source.values.items() if name.startswith(PREFIX) and text):
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        origins[path] = source.origins[name]
        if not all(path) or not _put(values, path, _from_text(path, source.values[name])):
            problems.append(_not_a_key(name, path, source.origins[name]))
    problems += [
        _misspelt(name, meant, source.origins[name]) for name in sorted(source.values) if (meant := _meant(name))
    ]
    return Source(Layer(values, origins), tuple(problems))


def shown(file: FilePath) -> str:
    """Return a path as messages show it: relative to the working directory where it is below it."""
    try:
        return str(file.absolute().relative_to(FilePath.cwd()))
    except ValueError:
        return str(file)


def _from_text(path: Path, text: str) -> Any:  # noqa: ANN401 - a value of any type
    if path[0] == RAW:
        return raw.from_text(path[1:], text)
    key = keys().get(path)
    return text if key is None else key.from_text(text)


def _put(values: dict[str, Any], path: Path, value: object) -> bool:
    table = values
    for name in path[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return False
        table = inner
    table[path[-1]] = value
    return True


def _read_text(file: FilePath) -> tuple[str | None, tuple[Problem, ...]]:
    try:
        return file.read_text(encoding="utf-8"), ()
    except FileNotFoundError:
        return None, ()
    except UnicodeDecodeError as problem:
        return None, (_unreadable(file, "text in UTF-8", f"the byte 0x{problem.object[problem.start]:02x}"),)
    except OSError as problem:
        return None, (_unreadable(file, "a file that can be read", os.strerror(problem.errno or 0).lower()),)


def _unreadable(file: FilePath, expected: str, found: str) -> Problem:
    origin = Origin(Kind.FILE, file=shown(file))
    return Problem(key=file.name, origin=origin, expected=expected, found=found, remedy=f"mend or move {shown(file)}")


def _not_toml(name: str, text: str, message: str) -> Problem:
    place = _PLACE.search(message)
    line = int(place.group(1)) if place and place.group(1) else text.count("\n") + 1
    reason = _PLACE.sub("", message)
    return Problem(
        key=FilePath(name).name,
        origin=Origin(Kind.FILE, file=name, line=line),
        expected="valid TOML",
        found=reason[:1].lower() + reason[1:],
        remedy='mend the line; text needs quotes, as in url = "sqlite:///umbel.db"',
    )


def _not_assignment(origin: Origin) -> Problem:
    # The line may hold a secret, so it is named and not shown.
    return Problem(
        key=FilePath(origin.file).name,
        origin=origin,
        expected="NAME=value",
        found="a line that is not one",
        remedy="mend the line; a value with spaces or # needs quotes",
    )


def _not_a_key(name: str, path: Path, origin: Origin) -> Problem:
    return Problem(
        key=name,
        origin=origin,
        expected=f"a name such as {variable(('broker', 'url'))}",
        found=f"{'.'.join(path)!r}, which is no path to a key",
        remedy="write UMBEL__SECTION__KEY, and set either a whole table or its keys",
    )


def _meant(name: str) -> str | None:
    """Return the variable that one with wrong underscores or letters must have meant.

    With single underscores alone it may be another's: Kubernetes sets ``UMBEL_WORKER_HEALTH_PORT`` for a service.
    """
    if name.startswith(PREFIX) or "__" not in name or not name.upper().startswith("UMBEL_"):
        return None
    squeezed = re.sub("_+", "_", name.upper())
    return next((meant for meant in map(variable, keys()) if meant.replace("__", "_") == squeezed), None)


def _misspelt(name: str, meant: str, origin: Origin) -> Problem:
    return Problem(
        key=name,
        origin=origin,
        expected="a variable that Umbel reads",
        found="one that would be ignored",
        remedy=f"did you mean {meant}?",
        kind=UnknownKeyError,
    )


def _line(binding: Binding) -> int:
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
