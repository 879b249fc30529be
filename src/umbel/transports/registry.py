"""Stores by URL: the one place that knows which scheme is which store.

=====================  =======================================================================
URL                    store
=====================  =======================================================================
``sqlite:///x.db``     a SQLite file, relative to the working directory
``sqlite:////abs.db``  a SQLite file by its absolute path
``memory://name``      memory of this process; the same name is the same store
=====================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from umbel.clock import Clock
from umbel.database import sqlite_path
from umbel.errors import ConfigurationError
from umbel.transports.base import Store

__all__ = ["open_store", "store_options", "supports"]

_CONFIGURED = ("busy_timeout", "dedup_window", "synchronous")
_OPTIONS = frozenset({*_CONFIGURED, "host"})

Opener = Callable[[str, Clock | None, Mapping[str, Any]], Store]


def open_store(url: str, *, clock: Clock | None = None, options: Mapping[str, Any] | None = None) -> Store:
    """Return the store that a URL names. Nothing is opened before its first use.

    ``options`` (all optional): ``busy_timeout`` (seconds, 10), ``synchronous`` ("NORMAL"),
    ``dedup_window`` (seconds, 3600) and ``host`` (this host's identity). Raises
    :class:`~umbel.errors.ConfigurationError` for an unknown scheme or option.

    >>> store = open_store("memory://example")
    >>> store.size("celery")
    0
    """
    given = dict(options or {})
    unknown = sorted(set(given) - _OPTIONS)
    if unknown:
        message = f"a store's options are {', '.join(sorted(_OPTIONS))}; got: {', '.join(unknown)}"
        raise ConfigurationError(message, unknown=unknown)
    scheme = urlsplit(url).scheme
    opener = _OPENERS.get(scheme)
    if opener is None:
        message = f"a store's URL must start with {' or '.join(f'{name}://' for name in _OPENERS)}, got: {url!r}"
        raise ConfigurationError(message, url=url)
    return opener(url, clock, given)


def store_options(transport_options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return those of a transport's options that belong to its store, as :func:`open_store` takes them.

    >>> store_options({"busy_timeout": 3.0, "lease": 15.0})
    {'busy_timeout': 3.0}
    """
    given = transport_options or {}
    return {name: given[name] for name in _CONFIGURED if name in given}


def supports(url: str) -> bool:
    """Return whether :func:`open_store` knows a store for this URL.

    >>> supports("sqlite:///umbel.db"), supports("redis://localhost")
    (True, False)
    """
    return urlsplit(url).scheme in _OPENERS


def _open_sqlite(url: str, clock: Clock | None, options: Mapping[str, Any]) -> Store:
    from umbel.transports.sqlite import SqliteStore  # noqa: PLC0415 - a store is imported when it is used

    return SqliteStore(sqlite_path(url), clock=clock, options=options)


def _open_memory(url: str, clock: Clock | None, options: Mapping[str, Any]) -> Store:
    from umbel.transports.memory import MemoryStore  # noqa: PLC0415 - a store is imported when it is used

    parts = urlsplit(url)
    return MemoryStore(unquote(parts.netloc + parts.path), clock=clock, options=options)


_OPENERS: Mapping[str, Opener] = {"sqlite": _open_sqlite, "memory": _open_memory}
