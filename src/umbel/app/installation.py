"""Umbel on an app that exists: its own settings stay, and what differs from Umbel's is said."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any, TextIO

import celery

from umbel.app.equipment import equip
from umbel.config import Settings, load
from umbel.config.differences import Difference, differences

__all__ = ["Installation", "install"]

_CONSUMER = "umbel.worker.consumer:Consumer"
_STOCK_CONSUMER = "celery.worker.consumer:Consumer"
_NEEDED = {"worker_consumer": _CONSUMER}
"""Without it there are no dead letters; it acts on Umbel's own transports only."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What an installation found. ``differences`` are the settings in which the app and Umbel differ;
    ``adopted`` is whether Umbel's values hold now.
    """

    app: celery.Celery
    differences: tuple[Difference, ...]
    adopted: bool

    def report(self) -> str:
        """Return what differs, one setting a line, with the reason."""
        if not self.differences:
            return "Umbel is installed; every setting is as Umbel would have it."
        return "\n".join(
            [
                f"Umbel is installed. Settings in which the app and Umbel differ: {len(self.differences)}",
                *(f"  {self._line(item)}" for item in self.differences),
                *([] if self.adopted else ["install(app, adopt=True) adopts those that the app has not chosen itself"]),
            ]
        )

    def _line(self, item: Difference) -> str:
        kept = "  kept: the app has chosen it" if item.chosen and self.adopted else ""
        return f"{item.key}: {item.app_value!r} -> {item.umbel_value!r}  ({item.reason}){kept}"


def install(
    app: celery.Celery,
    *,
    adopt: bool = False,
    settings: Settings | None = None,
    config_dir: str | os.PathLike[str] | None = None,
    output: TextIO | None = sys.stderr,
) -> Installation:
    """Give a Celery app Umbel's transports, dead letters, retries and crash recovery.

    Call it after the app is configured. The app's own settings stay as they are, also its broker; what
    differs from Umbel's defaults is returned, and written to ``output`` (None: nothing is written).
    With ``adopt`` Umbel's values are set, except those that the app's own code has chosen.

    >>> app = celery.Celery("shop", broker="memory://", set_as_current=False)
    >>> install(app, adopt=True, output=None).adopted
    True
    >>> app.conf.task_acks_late
    True

    Raises:
        ConfigurationError: Umbel's own configuration, where there is some, is wrong.
    """
    found = settings or getattr(app, "settings", None) or load(config_dir=config_dir)
    equip(app, found)
    app.on_after_configure.connect(_configured, weak=False, dispatch_uid="umbel.app.installation")
    conf = app.conf
    _lay_below(conf, _NEEDED)
    differing = tuple(item for item in differences(conf, found) if item.key not in _NEEDED)
    if adopt:
        chosen = {item.key: item.umbel_value for item in differing if not item.chosen}
        app.on_after_configure.connect(partial(_adopted, chosen), weak=False, dispatch_uid="umbel.app.adoption")
        _lay_below(conf, chosen)
        for task in tuple(app.tasks.values()) if app.finalized else ():
            task.bind(app)
    installation = Installation(app, differing, adopt)
    if output is not None:
        output.write(installation.report() + "\n")
    return installation


def _configured(source: Any, **_: Any) -> None:  # noqa: ANN401 - a signal's arguments
    _lay_below(source, _NEEDED)


def _adopted(values: dict[str, Any], source: Any, **_: Any) -> None:  # noqa: ANN401 - a signal's arguments
    _lay_below(source, values)


def _lay_below(conf: Any, values: dict[str, Any]) -> None:  # noqa: ANN401 - Celery's settings
    """Put values between what the app's own code says and Celery's defaults, once."""
    if values not in conf.defaults:
        conf.maps.insert(-1, values)
        conf.defaults.insert(-1, values)
