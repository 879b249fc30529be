"""Celery's and kombu's private names: the only module that touches them.

What stays true: every private name that Umbel leans on stands in :data:`SEAMS`, and
:func:`verify` looks at each one at start-up, so that a release of Celery which moved one is refused
with a clear error instead of failing in the middle of a task.

To use another private name: add its seam to the table and a small named function below.
"""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from umbel.errors import UnsupportedError

__all__ = [
    "SEAMS",
    "SUPPORTED",
    "Seam",
    "SettingOption",
    "find_app",
    "result_schemes",
    "setting_options",
    "setup_worker_optimizations",
    "transport_schemes",
    "verify",
]

SUPPORTED = {"celery": "5.7", "kombu": "5.7"}
"""The release series that the seams were read in; any patch release of it will do."""


@dataclass(frozen=True, slots=True)
class Seam:
    """A private name. ``path`` is ``module:attribute.attribute``; ``parameters`` are the names of
    those parameters that we pass or override, in order (None: it is not called).
    """

    path: str
    parameters: tuple[str, ...] | None = None


SEAMS: tuple[Seam, ...] = (
    Seam("celery.app.base:Celery._task_from_fun", ("self", "fun", "name", "base", "bind")),
    Seam("celery.app.backends:BACKEND_ALIASES"),
    Seam("celery.app.defaults:NAMESPACES"),
    Seam("celery.app.trace:setup_worker_optimizations", ("app", "hostname")),
    Seam("celery.app.utils:find_app", ("app",)),
    Seam("celery.app.defaults:flatten", ("d", "root", "keyfilter")),
    Seam("kombu.transport:TRANSPORT_ALIASES"),
)


def verify() -> None:
    """Check the installed Celery and kombu against the supported series and every seam.

    Raises:
        UnsupportedError: a series differs, or a seam is missing or has other parameters.
    """
    for package, series in SUPPORTED.items():
        _check_series(package, series, version(package))
    for seam in SEAMS:
        _check_seam(seam)


def _check_series(package: str, series: str, found: str) -> None:
    if found.split(".")[:2] != series.split("."):
        raise UnsupportedError(
            f"{package}: expected a {series}.x release, found {found}",
            hint=f'pip install "{package}~={series}.0", or a Umbel that supports {found}',
            package=package,
            found=found,
        )


def _check_seam(seam: Seam) -> None:
    try:
        target = pkgutil.resolve_name(seam.path)
    except (AttributeError, ImportError) as problem:
        raise _moved(seam, "it is missing") from problem
    if seam.parameters is None:
        return
    found = tuple(inspect.signature(target).parameters)
    if found[: len(seam.parameters)] != seam.parameters:
        raise _moved(seam, f"its parameters are {', '.join(found)}")


def _moved(seam: Seam, finding: str) -> UnsupportedError:
    package = seam.path.partition(".")[0]
    return UnsupportedError(
        f"{seam.path}: expected as in {package} {SUPPORTED[package]}, but in {version(package)} {finding}",
        hint=f"install another {package} {SUPPORTED[package]}.x, or upgrade Umbel",
        seam=seam.path,
    )


@dataclass(frozen=True, slots=True)
class SettingOption:
    """What Celery knows of one of its settings. ``old`` are its names before Celery 4, in capitals."""

    name: str
    type: str
    default: Any
    old: frozenset[str]


@cache
def setting_options() -> dict[str, SettingOption]:
    """Return Celery's settings by their lowercase names."""
    from celery.app.defaults import NAMESPACES, flatten  # noqa: PLC0415 - Celery is imported when it is first needed

    return {name: _setting(name, option, grouped=NAMESPACES) for name, option in flatten(NAMESPACES)}


def transport_schemes() -> frozenset[str]:
    """Return the URL schemes that kombu, or who registered with it, has a transport for."""
    from kombu.transport import TRANSPORT_ALIASES  # noqa: PLC0415 - as above

    return frozenset(TRANSPORT_ALIASES)


def result_schemes() -> frozenset[str]:
    """Return the URL schemes that Celery itself has a result backend for."""
    from celery.app.backends import BACKEND_ALIASES  # noqa: PLC0415 - as above

    return frozenset(BACKEND_ALIASES)


def _setting(name: str, option: Any, *, grouped: dict[str, Any]) -> SettingOption:  # noqa: ANN401 - Celery's untyped Option
    kind = option.type if isinstance(option.type, str) else option.type.__name__
    group, _, rest = name.partition("_")
    key = rest if isinstance(grouped.get(group), dict) else name
    old = {text.format(key).upper() for text in option.old} | {name.upper(), f"CELERY_{name.upper()}"}
    return SettingOption(name=name, type=kind, default=option.default, old=frozenset(old))


def find_app(spec: str) -> Any:  # noqa: ANN401 - celery is untyped
    """Return the application that ``module:attribute`` or ``module`` names, as `celery -A` finds it."""
    from celery.app.utils import find_app as find  # noqa: PLC0415 - as above

    return find(spec)


def setup_worker_optimizations(app: Any, hostname: str) -> None:  # noqa: ANN401 - celery is untyped
    """Do what Celery's own worker program does before its first task: the fast tracer, the default app."""
    from celery.app.trace import setup_worker_optimizations as setup  # noqa: PLC0415 - as above

    setup(app, hostname)
