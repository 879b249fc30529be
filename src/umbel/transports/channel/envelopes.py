"""Between kombu's raw messages and envelopes.

What stays true: any message that kombu can carry can be stored and comes back as it was, whether
Celery made it or not. Headers are only ever *asked* for what the store needs; whatever is missing or
odd leaves its field empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from kombu.utils import json as kombu_json

from umbel.clock import Timestamp, to_timestamp
from umbel.errors import OversizeError, UndecodableError
from umbel.message import (
    HEADER_DEDUP,
    HEADER_GROUP_KEY,
    HEADER_KEY_ID,
    HEADER_REPLAY,
    HEADER_SIGNATURE,
    MAX_PRIORITY,
    Envelope,
    dedup_key,
)
from umbel.transports.base import Claim

__all__ = ["to_envelope", "to_payload"]

_ENCODER = kombu_json.JSONEncoder(check_circular=False)
_DECODER = msgspec.json.Decoder()
_MARK = b'"__type__"'
_TRANSIENT = frozenset({"delivery_tag", "body_encoding"})
_UUID_LENGTH = 36


def to_envelope(message: Mapping[str, Any], *, max_size: int, now: Timestamp) -> Envelope:
    """Return the envelope of a prepared kombu message.

    ``max_size`` is in bytes, of head and body together; ``now`` is the base of relative expirations.

    Raises:
        OversizeError: it is larger than that.
    """
    headers = message.get("headers") or {}
    properties = message.get("properties") or {}
    asked = headers if isinstance(headers, dict) else {}
    head, body = _head(message, headers, properties), _body(message.get("body"))
    task, correlation_id = _text(asked.get("task")), properties.get("correlation_id")
    _check_size(len(head) + len(body), max_size, task)
    replay = _number(asked.get(HEADER_REPLAY))
    task_id = _text(asked.get("id") or correlation_id)
    return Envelope(
        task_id=task_id,
        task=task,
        head=head,
        body=body,
        priority=_priority(properties.get("priority")),
        visible_at=_moment(asked.get("eta")) or Timestamp(0.0),
        expires_at=_deadline(asked.get("expires"), properties.get("expiration"), now),
        group_key=_optional(asked.get(HEADER_GROUP_KEY)),
        dedup=_dedup(asked, task_id, replay),
        replay=replay,
        correlation_id=_optional(correlation_id),
        signature=_signature(asked.get(HEADER_SIGNATURE)),
        key_id=_optional(asked.get(HEADER_KEY_ID)),
    )


def to_payload(claim: Claim) -> dict[str, Any]:
    """Return a claimed message in kombu's raw form; its delivery tag is the receipt.

    Raises:
        UndecodableError: its head is not what :func:`to_envelope` writes.
    """
    envelope = claim.envelope
    head = _read(envelope.head)
    headers, properties = head["headers"], head["properties"]
    information = dict(properties.get("delivery_info") or {})
    information.setdefault("exchange", "")
    information.setdefault("routing_key", claim.queue)
    information["priority"] = envelope.priority
    information["redelivered"] = claim.redelivered
    properties["delivery_info"] = information
    properties["delivery_tag"] = claim.receipt
    if claim.redelivered:
        headers["redelivered"] = True
    head["body"] = envelope.body
    return head


def _head(message: Mapping[str, Any], headers: object, properties: Mapping[str, Any]) -> bytes:
    content = {
        "content-type": message.get("content-type"),
        "content-encoding": message.get("content-encoding"),
        "headers": headers,
        "properties": {key: value for key, value in properties.items() if key not in _TRANSIENT},
    }
    text: str = _ENCODER.encode(content)
    return text.encode("utf-8", "surrogatepass")


def _body(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    return b"" if body is None else str(_ENCODER.encode(body)).encode()


def _read(head: bytes) -> dict[str, Any]:
    try:
        content = kombu_json.loads(head) if _MARK in head else _read_plain(head)
    except (ValueError, RecursionError) as problem:
        raise UndecodableError(f"message head is not JSON: {problem}") from problem
    if not isinstance(content, dict):
        raise UndecodableError(f"message head: expected an object, found {type(content).__name__}")
    for key in ("headers", "properties"):
        if not isinstance(content.get(key), dict):
            found = type(content.get(key)).__name__
            raise UndecodableError(f"message {key}: expected an object, found {found}", key=key, found=found)
    return content


def _read_plain(head: bytes) -> Any:  # noqa: ANN401 - JSON of any shape
    try:
        return _DECODER.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kombu_json.loads(head)


def _check_size(size: int, limit: int, task: str) -> None:
    if size <= limit:
        return
    what = f"task {task!r}" if task else "a message"
    raise OversizeError(
        f"{what}: its message is {size} bytes, the limit broker.max_message_size is {limit} bytes",
        size=size,
        limit=limit,
        task=task,
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _optional(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _priority(value: object) -> int:
    try:
        return max(0, min(int(value), MAX_PRIORITY))  # type: ignore[call-overload,no-any-return]  # checked by trying
    except (TypeError, ValueError, OverflowError):
        return 0


def _moment(value: object) -> Timestamp | None:
    if isinstance(value, str) and value:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        try:
            return to_timestamp(value)
        except (OverflowError, OSError):
            return None
    return None


def _deadline(expires: object, expiration: object, now: Timestamp) -> Timestamp | None:
    if isinstance(expires, int | float) and not isinstance(expires, bool):
        return Timestamp(float(expires)) if expires > 0 else None
    moment = _moment(expires)
    if moment is not None or expiration is None:
        return moment
    try:
        return Timestamp(now + float(expiration) / 1000)  # type: ignore[arg-type]  # checked by trying
    except (TypeError, ValueError):
        return None


def _signature(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value if isinstance(value, bytes) else None


def _dedup(headers: Mapping[str, Any], task_id: str, replay: int) -> str | None:
    """Return the identity under which a repeat is dropped, for the messages that ask for one.

    They are the retries, the continuations (a task sent by a task), and what says so by header. A
    task that ``replace`` puts in place of itself has the same id one level deeper, so the level is
    part of the identity. An id that somebody chose, and is no UUID, may be meant to be used again
    and again; so may a task's own id sent from its own body: these ask by header or not at all.
    A retry keeps the header of its message and is no repeat of it, whatever identity that gave itself.
    """
    asked = headers.get(HEADER_DEDUP)
    identity = asked if isinstance(asked, str) and asked else task_id
    if not identity:
        return None
    retries, parent = _number(headers.get("retries")), headers.get("parent_id")
    continuation = parent is not None and parent != task_id and _is_uuid(task_id)
    if not (asked or retries > 0 or continuation):
        return None
    level = _number(headers.get("replaced_task_nesting"))
    key = dedup_key(identity, retries, replay)
    return f"{key}:{level}" if level else key


def _is_uuid(text: str) -> bool:
    return len(text) == _UUID_LENGTH and text[8] == text[13] == text[18] == text[23] == "-"
