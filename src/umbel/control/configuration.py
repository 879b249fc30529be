"""The operator's questions to the configuration: what holds, is it right, what could be said, how to begin."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from umbel.config import Configuration, Kind, Origin, read
from umbel.config.connections import ConnectionSettings, full_url
from umbel.config.keys import RAW, keys
from umbel.config.loading import File
from umbel.config.schema import schema
from umbel.config.templates import default_toml, development_toml, dotenv_example
from umbel.config.written import human
from umbel.errors import NotFoundError, StorageUnwritableError

__all__ = [
    "CheckedConfiguration",
    "ConfigurationEntry",
    "StarterFile",
    "check_configuration",
    "configuration_schema",
    "init_configuration",
    "show_configuration",
]


@dataclass(frozen=True, slots=True)
class ConfigurationEntry:
    """One setting: ``value`` as it stands in a TOML file, secrets hidden, and where it was said."""

    section: str
    key: str
    value: str
    origin: str
    kind: Kind

    @property
    def name(self) -> str:
        """The key with its section: ``broker.lease``."""
        return f"{self.section}.{self.key}"


@dataclass(frozen=True, slots=True)
class CheckedConfiguration:
    """A configuration that is valid. ``warnings`` are no errors, but should not stay."""

    environment: str
    files: tuple[File, ...]
    variables: int
    said: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StarterFile:
    """A file to begin with; one that was there already is left as it is."""

    path: Path
    created: bool


def show_configuration(
    *, config_dir: Path | None = None, only: tuple[str, ...] = (), said: bool = False
) -> tuple[ConfigurationEntry, ...]:
    """Return every setting and its origin.

    Args:
        config_dir: the folder of ``default.toml``, as for :func:`umbel.config.load`.
        only: sections or keys, such as ``broker`` or ``broker.lease``; all, if there are none.
        said: leave out what is the built-in default.

    Raises:
        ConfigurationError: the configuration is not valid.
        NotFoundError: ``only`` names no section or key.
    """
    entries = tuple(_entries(read(config_dir=config_dir)))
    for name in only:
        _require(name, entries)
    return tuple(
        entry
        for entry in entries
        if (not only or any(_within(entry, name) for name in only)) and not (said and entry.kind is Kind.DEFAULT)
    )


def check_configuration(*, config_dir: Path | None = None) -> CheckedConfiguration:
    """Validate every source of the configuration and say which there are.

    Raises:
        ConfigurationError: something is wrong; ``details["problems"]`` has all of it.
    """
    configuration = read(config_dir=config_dir)
    origins = configuration.layer.origins.values()
    return CheckedConfiguration(
        environment=configuration.settings.app.environment,
        files=configuration.files,
        variables=len({origin.variable for origin in origins if origin.kind is Kind.ENVIRONMENT}),
        said=sum(entry.kind is not Kind.DEFAULT for entry in _entries(configuration)),
        warnings=tuple(_warnings(configuration)),
    )


def configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema of the TOML files, JSON-ready."""
    return schema()


def init_configuration(*, config_dir: Path | None = None) -> tuple[StarterFile, ...]:
    """Write ``default.toml``, ``development.toml`` and ``.env.example``; overwrite nothing.

    Raises:
        StorageUnwritableError: a file or the folder cannot be written.
    """
    folder = config_dir or Path("config")
    return (
        _start(folder / "default.toml", default_toml()),
        _start(folder / "development.toml", development_toml()),
        _start(Path(".env.example"), dotenv_example()),
    )


def _entries(configuration: Configuration) -> Iterator[ConfigurationEntry]:
    settings = configuration.settings
    for path in keys():
        value: Any = settings
        for name in path:
            value = getattr(value, name, None)
        if path[0] != "redis" or settings.redis is not None:
            yield _entry(configuration, path, human(value))
    for name, text in settings.celery.items():
        # As a table of one, so that a secret is known by its name.
        yield _entry(configuration, (RAW, name), human({name: text})[1:-1].partition(" = ")[2])


def _entry(configuration: Configuration, path: tuple[str, ...], value: str) -> ConfigurationEntry:
    origin: Origin = configuration.layer.origin_of_value(path)
    return ConfigurationEntry(".".join(path[:-1]), path[-1], value, str(origin), origin.kind)


def _within(entry: ConfigurationEntry, name: str) -> bool:
    return entry.name == name or entry.name.startswith(f"{name}.")


def _require(name: str, entries: tuple[ConfigurationEntry, ...]) -> None:
    if any(_within(entry, name) for entry in entries):
        return
    known = {entry.name for entry in entries} | {entry.section for entry in entries}
    near = get_close_matches(name, known, n=1)
    raise NotFoundError(
        f"{name!r}: expected a section or a key such as broker.lease",
        hint=f"did you mean {near[0]}?" if near else "umbel config show lists all",
        key=name,
    )


def _warnings(configuration: Configuration) -> Iterator[str]:
    layer = configuration.layer
    secret = [path for path, key in keys().items() if key.secret]
    urls = [(name, "url") for name in ("broker", "results", "database", "redis")]
    for file in {
        layer.origin(path).file for path in (*secret, *urls) if layer.origin_of_value(path).kind is Kind.DOTENV
    }:
        mode = stat.S_IMODE(Path(file).stat().st_mode)
        if mode & 0o077 and _holds_secret(configuration):
            yield f"{file} holds a secret and others may read it (mode {mode:03o}): chmod 600 {file}"


def _holds_secret(configuration: Configuration) -> bool:
    settings = configuration.settings
    sections: list[ConnectionSettings] = [settings.broker, settings.results, settings.database]
    sections += [settings.redis] if settings.redis else []
    return any(full_url(section).has_password for section in sections)


def _start(path: Path, text: str) -> StarterFile:
    if path.exists():
        return StarterFile(path, created=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise StorageUnwritableError(
            f"{path}: expected to write a new file, but {str(problem.strerror).lower()}",
            hint="name a folder that you may write: umbel config init --config-dir DIR",
            path=str(path),
        ) from problem
    return StarterFile(path, created=True)
