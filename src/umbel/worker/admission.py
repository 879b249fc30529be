"""Whether a message is one that Celery can be trusted with.

Celery rejects some malformed messages, acknowledges others, and falls over a few. Every message is
therefore looked at first: what is wrong with it is an error here, before anything is settled. What it
looks at is only the shape; arguments are the task's own business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from umbel.errors import MessageError, OversizeError, UndecodableError

__all__ = ["admit", "is_ordinary"]

Shape = tuple[type, ...]

_TEXT: Shape = (str,)
_LIST: Shape = (list, tuple)
_HEADERS: Mapping[str, Shape] = {
    "retries": (int,),
    "root_id": _TEXT,
    "parent_id": _TEXT,
    "group": _TEXT,
    "group_index": (int,),
    "shadow": _TEXT,
    "timelimit": _LIST,
    "argsrepr": _TEXT,
    "kwargsrepr": _TEXT,
    "stamped_headers": _LIST,
    "stamps": (Mapping,),
    "replaced_task_nesting": (int,),
}
_EMBEDDED: Mapping[str, Shape] = {
    "callbacks": _LIST,
    "errbacks": _LIST,
    "chain": _LIST,
    "chord": (Mapping,),
}
_CHECKED_HEADERS = ("task", "id", *_HEADERS)
_PARTS = 3
_REMEMBERED = 1000
_ADMITTED: set[tuple[type, ...] | None] = set()


def admit(message: Any, *, max_size: int) -> tuple[str, Any]:  # noqa: ANN401 - kombu's message and payload
    """Return the task's name and, for messages of Celery's first protocol, the payload (else None).

    ``max_size`` is in bytes, of the stored head and body together.

    Raises:
        OversizeError: it is larger than ``max_size``; its body was not decoded.
        UndecodableError: the body is not what its content type and encoding say, or they are refused.
        MessageError: a header or a part of the body is missing or has the wrong type.
    """
    _check_size(message.claim.envelope, max_size)
    payload = _decoded(message)
    headers = message.headers
    name = headers.get("task")
    if name is None:
        return _first_protocol(payload), payload
    kinds = _kinds(headers, payload)
    if kinds not in _ADMITTED:
        _check_second_protocol(headers, payload)
        if kinds is not None and len(_ADMITTED) < _REMEMBERED:
            _ADMITTED.add(kinds)
    if not name or not headers["id"]:
        raise MessageError("headers 'task' and 'id': expected texts, found an empty one")
    return name, None


def is_ordinary(headers: Mapping[str, Any], payload: Any) -> bool:  # noqa: ANN401 - decoded JSON
    """Return whether a message of these types was admitted before; one that was not needs :func:`admit`."""
    kinds = _kinds(headers, payload)
    return kinds is not None and kinds in _ADMITTED and bool(headers["task"] and headers["id"])


def _kinds(headers: Mapping[str, Any], payload: Any) -> tuple[type, ...] | None:  # noqa: ANN401 - decoded JSON
    """Return the types that decide about a message; None when it is not of the usual form.

    Almost all messages have types that were checked before, so one look into a set is enough: the
    full check costs about as much as decoding the message.
    """
    if type(payload) is not list or len(payload) != _PARTS or type(payload[2]) is not dict:
        return None
    found = [*map(headers.get, _CHECKED_HEADERS), *payload, *map(payload[2].get, _EMBEDDED)]
    return tuple(map(type, found))


def _check_second_protocol(headers: Mapping[str, Any], payload: Any) -> None:  # noqa: ANN401 - decoded JSON
    _require(headers, "task", "header")
    _require(headers, "id", "header")
    _check_types(headers, _HEADERS, "header")
    if isinstance(payload, Mapping):
        _check_arguments(payload.get("args", ()), payload.get("kwargs", {}))
        _check_types(payload, _EMBEDDED, "body")
    else:
        _check_body(payload)


def _check_size(envelope: Any, limit: int) -> None:  # noqa: ANN401 - umbel.message.Envelope
    size = len(envelope.head) + len(envelope.body)
    if size > limit:
        raise OversizeError(
            f"the message is {size} bytes, the limit broker.max_message_size is {limit} bytes", size=size, limit=limit
        )


def _decoded(message: Any) -> Any:  # noqa: ANN401 - as above
    try:
        return message.payload
    except Exception as problem:
        raise UndecodableError(
            f"the body cannot be decoded as {message.content_type!r}, {message.content_encoding!r}: {problem}",
            hint="publish JSON, or allow the content type in accept_content",
            content_type=str(message.content_type),
            content_encoding=str(message.content_encoding),
        ) from problem


def _first_protocol(payload: Any) -> str:  # noqa: ANN401 - decoded JSON
    if not isinstance(payload, Mapping):
        raise MessageError(
            f"expected a header 'task', or a body with 'task'; found neither, and a body of {_kind(payload)}"
        )
    _require(payload, "task", "body")
    _require(payload, "id", "body")
    _check_arguments(payload.get("args", ()), payload.get("kwargs", {}))
    _check_types(payload, _EMBEDDED, "body")
    name: str = payload["task"]
    return name


def _check_body(payload: Any) -> None:  # noqa: ANN401 - decoded JSON
    if not isinstance(payload, (list, tuple)) or len(payload) != _PARTS:
        raise MessageError(f"body: expected [args, kwargs, options], found {_kind(payload)}")
    args, kwargs, embedded = payload
    _check_arguments(args, kwargs)
    if embedded is None:
        return
    if not isinstance(embedded, Mapping):
        raise MessageError(f"body options: expected an object, found {_kind(embedded)}")
    _check_types(embedded, _EMBEDDED, "body option")


def _check_arguments(args: Any, kwargs: Any) -> None:  # noqa: ANN401 - decoded JSON
    if not isinstance(args, (list, tuple)):
        raise MessageError(f"args: expected a list, found {_kind(args)}")
    if not isinstance(kwargs, Mapping):
        raise MessageError(f"kwargs: expected an object, found {_kind(kwargs)}")


def _require(fields: Mapping[str, Any], key: str, where: str) -> None:
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise MessageError(f"{where} {key!r}: expected a text, found {_kind(value)}", key=key)


def _check_types(fields: Mapping[str, Any], shapes: Mapping[str, Shape], where: str) -> None:
    for key, shape in shapes.items():
        value = fields.get(key)
        if value is not None and not isinstance(value, shape):
            expected = " or ".join(kind.__name__ for kind in shape)
            raise MessageError(f"{where} {key!r}: expected {expected}, found {_kind(value)}", key=key)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, Mapping) else f"{type(value).__name__} {str(value)[:60]!r}"
