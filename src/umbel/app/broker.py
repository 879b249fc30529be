"""Which broker an app really has, and its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import celery

from umbel.config import Settings
from umbel.config.urls import Url
from umbel.errors import UnsupportedError

if TYPE_CHECKING:
    from umbel.transports.base import Store

__all__ = ["effective_broker", "store_of", "transport_url"]

_OURS = "umbel-memory://"
_MEMORY = "memory://"


def effective_broker(settings: Settings, url: Any) -> Settings:  # noqa: ANN401 - whatever the user's code says
    """Return the settings with the broker that the user's code names, if it names another."""
    if not isinstance(url, str) or not url:
        return settings
    named = _MEMORY + url[len(_OURS) :] if url.startswith(_OURS) else url
    if named == settings.broker.url:
        return settings
    return settings.model_copy(update={"broker": settings.broker.model_copy(update={"url": Url(named)})})


def transport_url(app: Any, url: Any) -> Any:  # noqa: ANN401 - an Umbel app; a URL, a list of them, or None
    """Return the URL under which kombu finds Umbel's transport."""
    if isinstance(url, str) and url.startswith(_MEMORY) and app.settings.broker.transport == "auto":
        return _OURS + url[len(_MEMORY) :]
    return url


def store_of(app: celery.Celery) -> Store:
    """Open the store behind an app's broker, with the app's options.

    Raises:
        UnsupportedError: the broker is not one of Umbel's.
        StorageError: the store cannot be opened.
    """
    from umbel.transports.registry import open_store, store_options, supports  # noqa: PLC0415 - most producers never open a store

    url = str(app.conf.broker_url or "")
    if url.startswith(_OURS):
        url = _MEMORY + url[len(_OURS) :]
    if not supports(url):
        raise UnsupportedError(
            f"broker_url: expected sqlite:// or memory://, found {Url(url).masked!r}",
            hint="this operation needs one of Umbel's own stores",
        )
    return open_store(url, options=store_options(app.conf.broker_transport_options))
