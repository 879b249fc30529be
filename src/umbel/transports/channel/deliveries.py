"""What a channel hands on: deliveries, the messages that Celery sees, and who may take them instead."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from kombu.transport import virtual

from umbel.transports.base import Claim
from umbel.transports.channel.envelopes import to_payload

__all__ = ["Delivery", "Intake", "Message", "Subscription", "open_message"]

_DECODER = msgspec.json.Decoder()
_MARK = b"__type__"
"""What kombu's JSON writes for values that JSON has no form for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed message that has not crossed into Celery yet."""

    claim: Claim

    @property
    def tag(self) -> str:
        """The delivery tag, which is the receipt of the claim."""
        return self.claim.receipt


class Intake(Protocol):
    """Takes the messages of task queues, where :attr:`Channel.intake` is set.

    What it accepted it must later carry over with ``channel.deliver`` or return with
    ``channel.give_back``. Both methods are called without any lock of the channel held.
    """

    def appetite(self) -> int:
        """Return how many more messages are wanted now."""
        ...

    def tended(self) -> bool:
        """Return whether its own threads call ``fetch`` so often just now that the loop need not."""
        ...

    def accept(self, deliveries: Sequence[Delivery]) -> None:
        """Take these, which may be more than the appetite is by now."""
        ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """One consumer of a queue, as kombu asked for it."""

    tag: str
    queue: str
    no_ack: bool
    callback: Callable[[Any], Any]


class Message(virtual.Message):
    """A message as Celery sees it; ``claim`` is what the store knows of it."""

    claim: Claim

    def _decode(self) -> Any:  # noqa: ANN401 - JSON of any shape
        """Decode plain JSON the fast way; whatever is special goes through kombu, with the same outcome."""
        body = self.body
        plain = self.content_type == "application/json" and self.content_encoding == "utf-8"
        if plain and type(body) is bytes and _MARK not in body and self._accepts_json():
            try:
                return _DECODER.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass
        return super()._decode()

    def _accepts_json(self) -> bool:
        return self.accept is None or "application/json" in self.accept


def open_message(claim: Claim, channel: Any) -> Message:  # noqa: ANN401 - the channel imports this module
    """Return the message of a claim; one that cannot be read says so in its ``errors``.

    kombu's consumer then calls ``on_decode_error`` instead of the task handler.
    """
    try:
        message = Message(to_payload(claim), channel=channel)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it must reach on_decode_error and not stop the loop
        message = _unreadable(claim, channel)
    message.claim = claim
    return message


def _unreadable(claim: Claim, channel: Any) -> Message:  # noqa: ANN401 - see open_message
    problem = sys.exc_info()
    information = {"exchange": "", "routing_key": claim.queue, "priority": claim.envelope.priority}
    properties = {
        "delivery_tag": claim.receipt,
        "delivery_info": {**information, "redelivered": claim.redelivered},
        "correlation_id": claim.envelope.correlation_id,
    }
    message = Message({"properties": properties, "headers": {}, "body": claim.envelope.body}, channel=channel)
    message.errors.append(problem)
    return message
