"""Database URLs: from ``sqlite:///file`` to a path."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from umbel.errors import ConfigurationError

__all__ = ["sqlite_path"]


def sqlite_path(url: str) -> Path:
    """Return the file that a ``sqlite:///relative.db`` or ``sqlite:////absolute.db`` URL names.

    Raises :class:`~umbel.errors.ConfigurationError` for any other form.

    >>> sqlite_path("sqlite:///umbel.db").as_posix()
    'umbel.db'
    >>> sqlite_path("sqlite:////var/lib/umbel.db").as_posix()
    '/var/lib/umbel.db'
    """
    parts = urlsplit(url)
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme != "sqlite" or parts.netloc or not name or name == ":memory:":
        message = f"a SQLite URL must be sqlite:///FILE or sqlite:////ABSOLUTE/FILE, got: {url!r}"
        raise ConfigurationError(message, hint="three slashes for a relative path, four for an absolute one", url=url)
    if parts.query or parts.fragment:
        message = f"a SQLite URL takes no options after the file, got: {url!r}"
        raise ConfigurationError(message, hint="options such as busy_timeout are settings of their own", url=url)
    return Path(name)
