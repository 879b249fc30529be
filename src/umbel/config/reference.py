"""The reference page of the configuration, written from the model."""

from __future__ import annotations

from collections.abc import Iterator

from umbel.config.celery import SAFE_DEFAULTS
from umbel.config.differences import REASONS
from umbel.config.keys import RAW, Key, keys, sections, variable
from umbel.config.raw import OWNED
from umbel.config.toml_lines import Path
from umbel.config.written import human

__all__ = ["page"]

_HEAD = """\
# Configuration

<!-- Generated from src/umbel/config by `make references`. -->

Every key, its default, and what it means. How the sources lie over each other, and how to write durations
and sizes, is in [Configure](../how-to/configure.md). `umbel config show --origin` prints what holds for
your application.

A key that may be `"none"` is unset by writing that. Secrets have a variable of the environment instead of a
place in a file.
"""

_CELERY = """\
Any other setting of Celery can stand here by its lowercase name, such as `task_track_started = true`; it is
passed on as it is, in Celery's units. A setting for which Umbel has a key is an error that names the key:

| Celery's setting | Umbel's key |
|---|---|
"""

_DEFAULTS = """
These defaults of Umbel's differ from Celery's or are said on purpose; `[celery]` may say otherwise:

| Celery's setting | Umbel's default | why |
|---|---|---|
"""


def page() -> str:
    """Return the page in Markdown."""
    return "\n".join([_HEAD, *(_section(path, about) for path, about in sections().items())])


def _section(path: Path, about: str) -> str:
    name = ".".join(path)
    if path == (RAW,):
        return f"## `[{name}]`\n\n{about}\n\n{_celery()}"
    rows = [_row(key) for key in keys().values() if key.path[:-1] == path]
    return "\n".join(
        [f"## `[{name}]`", "", about, "", "| key | default | expected | meaning |", "|---|---|---|---|", *rows, ""]
    )


def _row(key: Key) -> str:
    default = "required" if key.required else f"`{human(key.default)}`"
    name = f"`{variable(key.path)}`" if key.secret else f"`{key.path[-1]}`"
    return _cells(name, default if not key.secret else "", key.expectation, key.description)


def _celery() -> str:
    owned = [_cells(f"`{name}`", f"`{'.'.join(path)}`") for name, path in sorted(OWNED.items())]
    safe = [_cells(f"`{name}`", f"`{human(value)}`", reason) for name, value, reason in _reasons()]
    return _CELERY + "\n".join(owned) + "\n" + _DEFAULTS + "\n".join(safe) + "\n"


def _reasons() -> Iterator[tuple[str, object, str]]:
    yield from ((name, value, REASONS[name]) for name, value in sorted(SAFE_DEFAULTS.items()))


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
