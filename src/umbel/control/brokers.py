"""Finding the broker that an operator means: by URL, by app, or by configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from umbel import _celery, config
from umbel.errors import ConfigurationError, UmbelError
from umbel.transports.base import Store
from umbel.transports.registry import open_store, store_options

__all__ = ["Broker", "find_broker", "load_app"]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the queues are, and the options to open them with."""

    url: str
    options: Mapping[str, Any]

    @property
    def place(self) -> str:
        """The URL without credentials; for a file on this host its absolute path."""
        parts = urlsplit(self.url)
        if parts.scheme == "sqlite":
            return str(Path(parts.path.removeprefix("/")).absolute())
        if "@" not in parts.netloc:
            return self.url
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def open(self) -> Store:
        """Open the store; the caller closes it.

        Raises:
            ConfigurationError: no store exists for the URL.
            StorageError: the store cannot be opened.
        """
        return open_store(self.url, options=self.options)


def find_broker(*, url: str | None = None, app: Any = None, config_dir: Path | None = None) -> Broker:  # noqa: ANN401 - a Celery app or its name
    """Return the broker: ``url`` when given, else the app's (an app, or ``module:attribute``), else
    that of the configuration in ``config_dir``.

    Raises:
        ConfigurationError: the app cannot be loaded, or the configuration is wrong.
    """
    if url:
        return Broker(url, {})
    if app is None:
        return _configured(config_dir)
    return _broker_of(load_app(app) if isinstance(app, str) else app)


def load_app(spec: str) -> Any:  # noqa: ANN401 - the app's class is the user's
    """Import an app by name, as ``celery -A`` does.

    Raises:
        ConfigurationError: there is no such module or app, or importing it failed.
    """
    try:
        return _celery.find_app(spec)
    except UmbelError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            f"-A {spec}: expected an app that can be imported, found {_in_words(problem)}",
            hint="-A takes module:attribute, seen from the current folder; --debug shows where the import failed",
            app=spec,
        ) from problem


def _in_words(problem: Exception) -> str:
    if isinstance(problem, ModuleNotFoundError):
        return f"no module named {problem.name!r}"
    if isinstance(problem, AttributeError):
        return str(problem)
    return f"{type(problem).__name__}: {problem}"


def _configured(config_dir: Path | None) -> Broker:
    settings = config.load(config_dir=config_dir)
    broker = settings.broker
    options = {
        "busy_timeout": broker.busy_timeout.total_seconds(),
        "synchronous": broker.synchronous,
        "dedup_window": broker.dedup_window.total_seconds(),
    }
    return Broker(str(broker.url), options)


def _broker_of(app: Any) -> Broker:  # noqa: ANN401 - the app's class is the user's
    url = app.conf.broker_write_url or app.conf.broker_url
    first = url if isinstance(url, str) else next(iter(url or ()), "")
    return Broker(first.split(";")[0].removeprefix("umbel-"), store_options(app.conf.broker_transport_options))
