"""What stands in a stored message, readable: headers and arguments, or why they cannot be read.

Looks at messages that may be malformed, so nothing in here trusts what it reads.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass, field, replace
from typing import Any

from umbel.message import Envelope

__all__ = ["Payload", "payload_of"]


@dataclass(frozen=True, slots=True)
class Payload:
    """A message's content. ``problem`` says why ``args`` and ``kwargs`` are None; ``raw`` is then the
    beginning of the body.
    """

    content_type: str | None
    headers: dict[str, Any] = field(default_factory=dict)
    args: Any = None
    kwargs: Any = None
    problem: str | None = None
    raw: str | None = None


_RAW_SHOWN = 400
"""Bytes of an unreadable body that are shown."""


def payload_of(envelope: Envelope) -> Payload:
    """Return the message's headers and arguments as far as they can be read; never raises."""
    head = _object(envelope.head)
    headers, content_type = head.get("headers"), head.get("content-type")
    readable = Payload(
        content_type=content_type if isinstance(content_type, str) else None,
        headers=headers if isinstance(headers, dict) else {},
    )
    try:
        args, kwargs = _arguments(envelope, head)
    except (ValueError, TypeError, RecursionError) as problem:
        raw = envelope.body[:_RAW_SHOWN].decode("utf-8", "backslashreplace")
        return replace(readable, problem=str(problem), raw=raw)
    return replace(readable, args=args, kwargs=kwargs)


def _object(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _arguments(envelope: Envelope, head: dict[str, Any]) -> tuple[Any, Any]:
    if head.get("content-type") != "application/json":
        raise ValueError(f"content type {head.get('content-type')!r} is not shown, only application/json")
    properties = head.get("properties")
    encoding = properties.get("body_encoding") if isinstance(properties, dict) else None
    body = b64decode(envelope.body, validate=True) if encoding == "base64" else envelope.body
    content = json.loads(body)
    if isinstance(content, list) and len(content) >= 2:  # noqa: PLR2004 - (args, kwargs, embed) of the task protocol
        return content[0], content[1]
    raise ValueError(f"expected [args, kwargs, ...], found {type(content).__name__}")
