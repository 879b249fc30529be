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
from importlib.metadata import version

from umbel.errors import UnsupportedError

__all__ = ["SEAMS", "SUPPORTED", "Seam", "verify"]

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
