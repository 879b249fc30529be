"""The time limits that a pool of Celery cannot enforce, so that nobody relies on them unwarned."""

from __future__ import annotations

from typing import Any

__all__ = ["unenforced_limits"]

_BOTH = ("time_limit", "soft_time_limit")
_CANNOT = {
    "celery.concurrency.solo": _BOTH,
    "celery.concurrency.thread": _BOTH,
    "celery.concurrency.eventlet": _BOTH,
    "celery.concurrency.gevent": ("soft_time_limit",),
}
"""Kinds of limits by the module of the pool. Celery reads them for these pools too, and then drops them."""


def unenforced_limits(pool: Any, app: Any) -> list[str]:  # noqa: ANN401 - a pool and an application of Celery
    """Return the limits that are set and that this pool ignores, as ``task_time_limit=300`` or
    ``shop.charge.time_limit=30``; seconds.
    """
    kinds = _CANNOT.get(type(pool).__module__, ())
    general = {kind: app.conf[f"task_{kind}"] for kind in kinds}
    found = [f"task_{kind}={limit:g}" for kind, limit in general.items() if limit]
    for name, task in sorted(app.tasks.items()):
        for kind in kinds:
            limit = getattr(task, kind)
            if limit and limit != general[kind]:
                found.append(f"{name}.{kind}={limit:g}")
    return found
