"""One store per process and URL, shared by all channels.

A store is opened at the first connection and stays open while the process lives, because Celery opens
and closes connections all the time. A SQLite file that was moved away or replaced is opened anew by
the next connection, and a connection that is open notices within a second: it would go on with a
file that nobody else sees.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from umbel.database import sqlite_path
from umbel.errors import StorageError
from umbel.transports.base import Store
from umbel.transports.channel.routing import Routes
from umbel.transports.registry import open_store, store_options

__all__ = ["SharedStore", "share"]

_Identity = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class SharedStore:
    """A store with what all channels on it have in common."""

    store: Store
    routes: Routes
    path: Path | None
    identity: _Identity

    def verify(self) -> None:
        """Check that the file is still the one that was opened.

        Raises:
            StorageError: it was moved, removed or replaced; connecting again opens the new one.
        """
        if self.identity != _identity(self.path):
            raise StorageError(
                f"database {self.path} was moved, removed or replaced while it was open",
                hint="the connection is made again with the file that is there now",
                file=str(self.path),
            )


_shared: dict[tuple[Any, ...], SharedStore] = {}
_lock = threading.Lock()


def share(url: str, transport_options: Mapping[str, Any]) -> SharedStore:
    """Return the open store of this URL and these options; raise when it cannot be opened.

    Raises:
        StorageError: it cannot be opened, read or written.
        ConfigurationError: the URL or an option is wrong.
    """
    options = store_options(transport_options)
    key = (url, str(Path.cwd()) if url.startswith("sqlite:") else "", *sorted(options.items()))
    with _lock:
        known = _shared.get(key)
        if known is None or known.identity != _identity(known.path):
            known = _shared[key] = _open(url, options)
        return known


def _open(url: str, options: Mapping[str, Any]) -> SharedStore:
    store = open_store(url, options=options)
    # The first question opens the file, so that what is wrong with it is said when connecting.
    store.queue_exists("")
    # Absolute, because the process may change its folder later.
    path = sqlite_path(url).absolute() if url.startswith("sqlite:") else None
    return SharedStore(store, Routes(store), path, _identity(path))


def _identity(path: Path | None) -> _Identity:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it at the moment of the fork
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
