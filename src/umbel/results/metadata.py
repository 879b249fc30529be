"""Between Celery's metadata of a result and the row that is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celery import states

from umbel.results.records import ResultRow

__all__ = ["NOTHING_KNOWN", "extended_fields", "metadata"]

NOTHING_KNOWN: dict[str, Any] = {"status": states.PENDING, "result": None}
"""What Celery says of a task without a stored result."""


def metadata(row: ResultRow, decode: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the row as Celery's metadata; the result of a failure is still encoded as a mapping."""
    ready = row.status in states.READY_STATES
    meta: dict[str, Any] = {
        "task_id": row.task_id,
        "status": row.status,
        "result": decode(row.result),
        "traceback": row.traceback,
        "children": [] if row.children is None else decode(row.children),
        "date_done": datetime.fromtimestamp(row.stored_at, tz=UTC).isoformat() if ready else None,
    }
    if row.group_id:
        meta["group_id"] = row.group_id
    if row.parent_id:
        meta["parent_id"] = row.parent_id
    if row.extended is not None:
        meta.update(decode(row.extended))
    return meta


def extended_fields(request: Any) -> dict[str, Any]:  # noqa: ANN401 - a request of the tracer or of the worker
    """Return what ``result_extended`` adds, as Celery names it."""
    delivery_info = getattr(request, "delivery_info", None) or {}
    fields = {
        "name": getattr(request, "task", None),
        "args": getattr(request, "args", None),
        "kwargs": getattr(request, "kwargs", None),
        "worker": getattr(request, "hostname", None),
        "retries": getattr(request, "retries", None),
        "queue": delivery_info.get("routing_key"),
    }
    stamps = getattr(request, "stamps", None)
    if stamps:
        names = request.stamped_headers or ()
        fields["stamped_headers"] = request.stamped_headers
        fields.update({name: value for name, value in stamps.items() if name in names})
    return fields
