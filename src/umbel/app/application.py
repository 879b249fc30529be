"""``Umbel``: a Celery app with safe defaults, configured from ``config/*.toml`` and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import celery

from umbel.app.broker import effective_broker, store_of, transport_url
from umbel.app.equipment import equip
from umbel.config import Settings, load
from umbel.config.celery import translate
from umbel.tasks import pack

if TYPE_CHECKING:
    from umbel.transports.base import Store

__all__ = ["Umbel", "shared_task"]

_STOCK_TASK = "celery.app.task:Task"
_BASE_TASK = "umbel.tasks:Task"
_SECTIONS = {"broker": "broker", "backend": "results"}


class Umbel(celery.Celery):
    """A Celery application with Umbel's defaults. The whole Celery API is there, unchanged.

    >>> app = Umbel("shop", broker="memory://", backend="disabled://", set_as_current=False)
    >>> app.conf.task_acks_late
    True

    Args:
        main: the app's name, as Celery's.
        settings: settings that were loaded before; by default they are loaded now.
        config_dir: the folder of the TOML files; see :func:`umbel.config.load`.
        broker: a URL that overrides ``broker.url``.
        backend: a URL that overrides ``results.url``; anything else goes to Celery as it is.
        options: Celery's own. Settings that ``config_from_object`` or ``app.conf`` say in code win over
            Umbel's.

    Raises:
        ConfigurationError: the configuration is wrong; the message names every problem.
    """

    settings: Settings
    task_cls: Any

    def __init__(
        self,
        main: str | None = None,
        *,
        settings: Settings | None = None,
        config_dir: str | os.PathLike[str] | None = None,
        broker: Any = None,  # noqa: ANN401 - Celery takes lists too
        backend: Any = None,  # noqa: ANN401 - Celery takes classes too
        **options: Any,  # noqa: ANN401 - Celery's own
    ) -> None:
        urls: dict[str, str] = {}
        for key, url in (("broker", broker), ("backend", backend)):
            if isinstance(url, str) and "://" in url:
                urls[key] = url
            else:
                options[key] = url
        found = _settings(settings, config_dir, urls)
        super().__init__(main, **options)
        if self.task_cls == _STOCK_TASK:
            self.task_cls = _BASE_TASK
        equip(self, found)
        self.on_after_configure.connect(partial(_lay_settings_below, self), weak=False)

    def task(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as Celery's
        """Make a task; besides Celery's options, ``retry=Retry(...)`` and ``dead_letter=False``."""
        return super().task(*args, **pack(options))

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:  # noqa: ANN401 - a kombu connection
        """Return a connection for consuming. ``memory://`` is Umbel's, unless the broker's transport is stock."""
        return super().connection_for_read(transport_url(self, url or self.conf.broker_read_url), **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:  # noqa: ANN401 - as above
        """Return a connection for publishing; see :meth:`connection_for_read`."""
        return super().connection_for_write(transport_url(self, url or self.conf.broker_write_url), **options)

    def open_store(self) -> Store:
        """Open the queue store of the broker; close it when done.

        Raises:
            UnsupportedError: the broker is not one of Umbel's.
            StorageError: the store cannot be opened.
        """
        return store_of(self)


def shared_task(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - as Celery's
    """Make a task for any app, as ``celery.shared_task`` does; it takes Umbel's declared options too.

    On an app that is not Umbel's the declared options have no effect.
    """
    return celery.shared_task(*args, **pack(options))


def _settings(given: Settings | None, config_dir: str | os.PathLike[str] | None, urls: Mapping[str, str]) -> Settings:
    overrides = {_SECTIONS[key]: {"url": url} for key, url in urls.items()}
    if given is None:
        return load(config_dir=config_dir, overrides=overrides)
    changed = {
        section: type(getattr(given, section)).model_validate({**dict(getattr(given, section)), **values})
        for section, values in overrides.items()
    }
    return given.model_copy(update=changed)


def _lay_settings_below(app: Umbel, *, source: Any, **_: Any) -> None:  # noqa: ANN401 - a signal's arguments
    """Put Umbel's settings between what the user's code says and Celery's defaults.

    Celery loads its configuration when it is first asked for, and again after ``config_from_object``.
    """
    app.settings = effective_broker(app.settings, source.get("broker_url") or os.environ.get("CELERY_BROKER_URL"))
    ours = translate(app.settings)
    source.maps.insert(-1, ours)
    source.defaults.insert(-1, ours)
