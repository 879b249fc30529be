"""The quality of service of a channel: what Celery holds unsettled, and the prefetch limit over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from kombu.log import get_logger

from umbel.outcomes import Reason
from umbel.transports.base import Burial
from umbel.transports.channel.deliveries import Message

if TYPE_CHECKING:
    from umbel.transports.channel.channel import Channel

__all__ = ["Window"]

_logger = get_logger(__name__)
_RESTORING = "Restoring {0!r} unacknowledged message(s)"


class Window:
    """Stands where kombu's virtual channels have their ``QoS``.

    Tags are taken out of the window at the moment of the ack, so that the next message is claimed in
    the same turn in which the ack is settled. Acks may come from any thread.
    """

    restore_at_shutdown = True

    def __init__(self, channel: Channel, prefetch_count: int = 0) -> None:
        self.channel = channel
        self.prefetch_count = prefetch_count or 0
        self._unsettled: dict[str, Message] = {}

    def __len__(self) -> int:
        return len(self._unsettled)

    def can_consume(self) -> bool:
        """Return whether one more message may be delivered."""
        return not self.prefetch_count or len(self._unsettled) < self.prefetch_count

    def can_consume_max_estimate(self) -> int | None:
        """Return how many more messages may be delivered; None without a limit."""
        if not self.prefetch_count:
            return None
        return max(self.prefetch_count - len(self._unsettled), 0)

    def append(self, message: Message, delivery_tag: str) -> None:
        """Note a message that crosses into Celery."""
        self._unsettled[delivery_tag] = message

    def get(self, delivery_tag: str) -> Message:
        """Return an unsettled message; KeyError when there is none of this tag."""
        return self._unsettled[delivery_tag]

    def take(self, delivery_tag: str) -> Message | None:
        """Remove a message whose settlement is being ordered."""
        return self._unsettled.pop(delivery_tag, None)

    def holds(self, queue: str) -> bool:
        """Return whether a message of this queue is unsettled: deleting the queue would fence it."""
        return any(message.claim.queue == queue for message in list(self._unsettled.values()))

    def up_to(self, delivery_tag: str) -> list[str]:
        """Return the tags that were delivered before this one, and this one."""
        tags = list(self._unsettled)
        return tags[: tags.index(delivery_tag) + 1] if delivery_tag in tags else [delivery_tag]

    def ack(self, delivery_tag: str) -> None:
        """Order an ack."""
        self.take(delivery_tag)
        self.channel.settlement.ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Order a release, or a dead letter."""
        message = self.take(delivery_tag)
        if requeue:
            self.channel.settlement.release(delivery_tag)
            return
        error = {
            "error_code": "MESSAGE_REJECTED",
            "message": "the consumer rejected the message without asking for redelivery",
            "retryable": False,
            "details": {},
            "hint": "",
        }
        claim = None if message is None else message.claim
        self.channel.settlement.bury(Burial(delivery_tag, Reason.REJECTED, error), claim)

    def restore_unacked(self) -> list[Any]:
        """Give back everything that is unsettled; return what could not be (kombu's contract: nothing)."""
        for tag in list(self._unsettled):
            self.take(tag)
            self.channel.settlement.release(tag)
        return []

    def restore_unacked_once(self, stderr: TextIO | None = None) -> None:
        """Give everything back when the channel closes, and say how much it was."""
        if not self.restore_at_shutdown or not self.channel.do_restore or not self._unsettled:
            return
        text = _RESTORING.format(len(self._unsettled))
        if stderr is not None:
            print(text, file=stderr)
        else:
            _logger.info(text)
        self.restore_unacked()

    def restore_visible(self, *_args: object, **_options: object) -> None:
        """Do nothing: leases take the place of visibility time-outs."""
