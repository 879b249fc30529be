"""Loading: find the sources, read them into layers, lay them over each other, validate once.

    built-in defaults < config/default.toml < config/{APP_ENV}.toml < .env < environment < arguments

All that is wrong, in all of them, is in one error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any

from umbel.config import raw, secrets
from umbel.config.checks import check
from umbel.config.layers import Kind, Layer, Origin, merge, walk
from umbel.config.problems import Problem, fail
from umbel.config.settings import DEVELOPMENT, Settings
from umbel.config.sources import Source, Variables, read_dotenv, read_toml, shown, variables
from umbel.config.validation import validate

__all__ = ["Configuration", "File", "load", "read"]

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_APP_ENV, _CONFIG_DIR = "APP_ENV", "UMBEL_CONFIG_DIR"


@dataclass(frozen=True, slots=True)
class File:
    """A file that was looked for."""

    path: FilePath
    exists: bool


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, where each value was said, and which files were looked for, lowest first."""

    settings: Settings
    layer: Layer
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class _Places:
    """What must be known before anything is read: which environment, which folder."""

    environment: str
    origin: Origin
    folder: FilePath
    problems: tuple[Problem, ...]

    @property
    def layer(self) -> Layer:
        return Layer({"app": {"environment": self.environment}}, {("app", "environment"): self.origin})

    @property
    def toml(self) -> tuple[FilePath, FilePath]:
        return self.folder / "default.toml", self.folder / f"{self.environment}.toml"


def load(
    *,
    config_dir: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    env_file: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of this process, validated.

    Args:
        config_dir: the folder of ``default.toml``; by default ``UMBEL_CONFIG_DIR``, else ``config`` in
            the working directory. It need not exist unless it is named.
        environment: the variables; by default those of this process.
        env_file: the ``.env`` file; by default the one in the working directory.
        overrides: values that a program gives, as nested tables; they lie over everything else.

    Raises:
        ConfigurationError: something is wrong; a subclass if all of it is of one kind.
            ``details["problems"]`` has every problem with its file, line and remedy.

    >>> load(environment={}, overrides={"broker": {"url": "memory://"}}).broker.url.scheme
    'memory'
    """
    return read(config_dir=config_dir, environment=environment, env_file=env_file, overrides=overrides).settings


def read(
    *,
    config_dir: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    env_file: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Configuration:
    """Do what :func:`load` does, and also return where every value was said.

    Raises:
        ConfigurationError: as :func:`load`.
    """
    process = Variables.of_environment(os.environ if environment is None else environment)
    dotenv_path = FilePath(env_file or ".env")
    dotenv = read_dotenv(dotenv_path)
    places = _find(config_dir, dotenv, process)
    if places.problems:
        fail(places.problems)
    toml = [read_toml(file) for file in places.toml]
    sources = [*toml, variables(dotenv), variables(process), Source(_arguments(overrides or {}))]
    layer = merge([places.layer, *(source.layer for source in sources)])
    problems = [problem for source in sources for problem in source.problems]
    problems += [problem for source in toml for problem in secrets.problems(source.layer)]
    files = (*places.toml, dotenv_path)
    return Configuration(
        settings=_settle(layer, problems, places.environment),
        layer=layer,
        files=tuple(File(file, file.is_file()) for file in files),
    )


def _settle(layer: Layer, problems: list[Problem], environment: str) -> Settings:
    settings, wrong = validate(layer)
    problems += [*wrong, *raw.problems(layer)]
    if settings is not None:
        problems += check(settings, layer, environment=environment)
    if settings is None or problems:
        fail(problems)
    return settings


def _find(config_dir: str | os.PathLike[str] | None, dotenv: Variables, process: Variables) -> _Places:
    name, name_origin = _bootstrap(_APP_ENV, dotenv, process)
    folder, folder_origin = _bootstrap(_CONFIG_DIR, dotenv, process)
    if config_dir is not None:
        folder, folder_origin = os.fspath(config_dir), Origin(Kind.ARGUMENT)
    place = FilePath(folder or "config")
    problems = [
        *([_no_folder(place, folder_origin)] if folder and not place.is_dir() else []),
        *_name_problems(name, name_origin, place),
    ]
    return _Places(name or DEVELOPMENT, name_origin, place, tuple(problems))


def _bootstrap(name: str, dotenv: Variables, process: Variables) -> tuple[str, Origin]:
    for source in (process, dotenv):
        if source.values.get(name):
            return source.values[name], source.origins[name]
    return "", Origin(Kind.DEFAULT)


def _name_problems(name: str, origin: Origin, folder: FilePath) -> list[Problem]:
    if not name:
        return []
    if not _ENVIRONMENT_NAME.fullmatch(name) or name == "default":
        remedy = "write a name such as development, staging or production"
        return [
            Problem(key=_APP_ENV, origin=origin, expected="the name of an environment", found=repr(name), remedy=remedy)
        ]
    others = [file.stem for file in folder.glob("*.toml") if file.stem != "default"]
    near = [] if name in others else get_close_matches(name, [*others, DEVELOPMENT, "production"], n=1, cutoff=0.8)
    if near and near[0] != name:
        remedy = f"did you mean {near[0]}? If not, add {shown(folder / f'{name}.toml')}, empty if need be"
        return [
            Problem(key=_APP_ENV, origin=origin, expected="an environment with a file", found=repr(name), remedy=remedy)
        ]
    return []


def _no_folder(folder: FilePath, origin: Origin) -> Problem:
    return Problem(
        key=_CONFIG_DIR,
        origin=origin,
        expected="a folder that exists",
        found=repr(str(folder)),
        remedy=f"umbel config init --config-dir {folder}, or name another folder",
    )


def _arguments(values: Mapping[str, Any]) -> Layer:
    return Layer(values, {path: Origin(Kind.ARGUMENT) for path, _ in walk(values)})
