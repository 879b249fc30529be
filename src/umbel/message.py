"""The envelope: what every store keeps of a message, and the names of Umbel's headers.

A store never looks into ``head`` or ``body``; whatever it must query or change stands in a field.
``head`` is kombu's message without its body, as JSON; ``body`` is the body as bytes. The layout is
versioned so that a later Umbel can read what an earlier one has stored, and so that an earlier one
leaves alone what it cannot read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kombu.utils import json as kombu_json

from umbel.clock import Timestamp

__all__ = [
    "HEADER_DEDUP",
    "HEADER_GROUP_KEY",
    "HEADER_KEY_ID",
    "HEADER_REPLAY",
    "HEADER_SIGNATURE",
    "LAYOUT",
    "MAX_PRIORITY",
    "Envelope",
    "dedup_key",
    "replayed",
]

LAYOUT = 1
MAX_PRIORITY = 9
"""Priorities are 0 to 9, and 9 is the most urgent on every broker."""

HEADER_DEDUP = "umbel_dedup"
"""True, or an identity of the publisher's own: a repeat within the window is dropped."""

HEADER_GROUP_KEY = "umbel_group"
HEADER_REPLAY = "umbel_replay"
HEADER_SIGNATURE = "umbel_signature"
HEADER_KEY_ID = "umbel_key"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as it is stored.

    ``visible_at`` is when it may first be claimed (0: at once). ``expires_at`` is the publisher's
    deadline (the worker records the expiry; no store drops the message for it). ``group_key`` is
    the tenant for limits and fairness. ``dedup`` is None for the messages that do not ask for
    deduplication. ``signature`` and ``key_id`` are room for signed messages.
    """

    task_id: str
    task: str
    head: bytes
    body: bytes
    priority: int = 0
    visible_at: Timestamp = Timestamp(0.0)  # noqa: RUF009 - NewType of an immutable float
    expires_at: Timestamp | None = None
    group_key: str | None = None
    dedup: str | None = None
    replay: int = 0
    correlation_id: str | None = None
    signature: bytes | None = None
    key_id: str | None = None
    layout: int = LAYOUT


def dedup_key(task_id: str, retries: int, replay: int) -> str:
    """Return the identity of one attempt: (task id, retry number, replay number)."""
    return f"{task_id}:{retries}:{replay}"


def replayed(envelope: Envelope) -> Envelope:
    """Return the envelope as a replay publishes it: next replay number, no retries spent, due now."""
    number = envelope.replay + 1
    return replace(
        envelope,
        head=_reset_attempts(envelope.head, number),
        replay=number,
        visible_at=Timestamp(0.0),
        expires_at=None,
        dedup=None,
    )


def _reset_attempts(head: bytes, number: int) -> bytes:
    try:
        content: Any = kombu_json.loads(head)
    except Exception:  # noqa: BLE001 - any client may have written it, and kombu's typed values fail in many ways
        return head
    headers = content.get("headers") if isinstance(content, dict) else None
    if not isinstance(headers, dict):
        return head
    headers.update({"retries": 0, "eta": None, "expires": None, HEADER_REPLAY: number})
    text: str = kombu_json.dumps(content)
    return text.encode()
