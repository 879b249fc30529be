"""``Producer.batch``: many publishes in one transaction per queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import BatchPublishError

from umbel.message import Envelope

if TYPE_CHECKING:
    from umbel.transports.channel.channel import Channel

__all__ = ["PublishBatch"]


class PublishBatch:
    """Buffers up to ``max_size`` envelopes of one producer.

    A queue's envelopes are stored in one transaction, in the order of publishing. Queues are stored
    one after the other: after a failure, those before the failed one are stored.
    """

    def __init__(self, channel: Channel, max_size: int) -> None:
        self.channel = channel
        self.max_size = max_size
        self._buffers: dict[str, list[Envelope]] = {}
        self._size = 0
        self._refusal: BaseException | str | None = None

    def publish(self, message: dict[str, Any], exchange: str = "", routing_key: str = "", **_options: object) -> None:
        """Route one prepared message and buffer it."""
        self._check_usable()
        envelope, queues = self.channel.address(message, exchange, routing_key)
        if self._size and self._size + len(queues) > self.max_size:
            self.flush()
        for queue in queues:
            self._buffers.setdefault(queue, []).append(envelope)
        self._size += len(queues)
        if self._size >= self.max_size:
            self.flush()

    def flush(self) -> None:
        """Store what is buffered.

        Raises:
            BatchPublishError: a transaction failed; ``__cause__`` says why.
        """
        self._check_usable()
        buffers, self._buffers, self._size = self._buffers, {}, 0
        for queue, envelopes in buffers.items():
            try:
                self.channel.store.publish(queue, envelopes)
            except Exception as problem:
                self._refusal = problem
                raise BatchPublishError(
                    f"batch of {len(envelopes)} messages for queue {queue!r} was not stored: {problem}"
                ) from problem

    def discard(self) -> None:
        """Forget what has not been stored."""
        self._buffers, self._size = {}, 0
        self._refusal = self._refusal or "the batch was discarded"

    def close(self) -> None:
        """End the batch; closing twice is harmless."""
        self._buffers, self._size = {}, 0
        self._refusal = self._refusal or "the batch is closed"

    def _check_usable(self) -> None:
        if isinstance(self._refusal, BaseException):
            raise BatchPublishError("a publish batch cannot be used again after a failure") from self._refusal
        if self._refusal is not None:
            raise RuntimeError(self._refusal)
