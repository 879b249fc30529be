"""SQL in named files: ``-- name: claim`` starts a statement, the next name ends it."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["Queries"]

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


class Queries:
    """The statements of one ``.sql`` file in a package, as attributes.

    >>> Queries("umbel.transports.sqlite.sql", "queues").size  # doctest: +ELLIPSIS
    'SELECT count(*)...'
    """

    def __init__(self, package: str, name: str) -> None:
        text = files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")
        pieces = _NAME.split(text)
        self._source = f"{package}/{name}.sql"
        self.__dict__.update({title: _strip(body) for title, body in zip(pieces[1::2], pieces[2::2], strict=True)})

    def __getattr__(self, name: str) -> str:
        # Reached only for what is not there: the statements are ordinary attributes.
        message = f"{self._source} has no statement named {name!r}"
        raise AttributeError(message)


def _strip(body: str) -> str:
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().rstrip(";")
