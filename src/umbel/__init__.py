"""Umbel makes Celery production-grade.

This is the public namespace. What needs Celery is imported when it is first used, so that
``import umbel`` costs nothing in a process that only wants the errors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from umbel._version import __version__
from umbel.errors import PermanentError, TemporaryError, UmbelError

if TYPE_CHECKING:
    from umbel.app import Umbel, install, shared_task
    from umbel.tasks import Retry, Task

__all__ = [
    "PermanentError",
    "Retry",
    "Task",
    "TemporaryError",
    "Umbel",
    "UmbelError",
    "__version__",
    "install",
    "shared_task",
]

_HOMES = {
    "Retry": "umbel.tasks",
    "Task": "umbel.tasks",
    "Umbel": "umbel.app",
    "install": "umbel.app",
    "shared_task": "umbel.app",
}
"""Where the names live that are imported when they are first used."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class or a function
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
