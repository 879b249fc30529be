"""Rows into values and back. The order of the envelope's columns is the order of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from umbel.clock import Timestamp
from umbel.message import Envelope
from umbel.outcomes import Verdict
from umbel.transports.base import Claim, Receipt

__all__ = [
    "CLAIMED",
    "DELAYED",
    "PARKED",
    "READY",
    "STATES",
    "claims",
    "dump_error",
    "message_rows",
    "parse",
    "task_hash",
]

READY, DELAYED, CLAIMED, PARKED = range(4)
STATES = ("ready", "delayed", "claimed", "parked")


def task_hash(task_id: str) -> int:
    """Return the short key under which a task id is found; collisions are told apart by the id itself."""
    return crc32(task_id.encode())


def dump_error(error: Mapping[str, Any]) -> str:
    """Return the error contract as JSON; what is not JSON-ready is stored as its text."""
    return json.dumps(dict(error), default=str)


def message_rows(
    queue: int, number: int, envelope: Envelope, now: Timestamp
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the narrow and the wide row of a new message."""
    due = envelope.visible_at
    narrow = (
        number,
        queue,
        DELAYED if due > now else READY,
        envelope.priority,
        due,
        max(due, now),
        envelope.group_key,
        envelope.layout,
        crc32(envelope.task_id.encode()),
    )
    wide = (
        number,
        envelope.task_id,
        envelope.task,
        envelope.head,
        envelope.body,
        envelope.expires_at,
        envelope.dedup,
        envelope.replay,
        envelope.correlation_id,
        envelope.signature,
        envelope.key_id,
    )
    return narrow, wide


def claims(queue: str, fence: int, rows: Iterable[tuple[Any, ...]]) -> list[Claim]:
    """Return the claims for rows as they were before the claim: one delivery less than now."""
    return [
        Claim(
            f"{row[0]}.{fence}",
            queue,
            Envelope(*row[5:]),
            row[1] > 0,
            row[1] + 1,
            row[2],
            row[3] == 1,
            row[4] and Verdict(row[4]),
        )
        for row in rows
    ]


def parse(receipts: Iterable[Receipt]) -> list[tuple[Receipt, str, str]]:
    """Return (receipt, message id, fence), each receipt once.

    Both stay text: SQLite compares them as numbers, and what is no receipt of ours matches nothing.
    """
    return [(receipt, *receipt.partition(".")[::2]) for receipt in dict.fromkeys(receipts)]
