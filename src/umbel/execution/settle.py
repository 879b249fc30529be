"""The order in which a delivery ends: result, then dead letter, then ack last.

It stands here because it joins the transport and the result backend, which do not know each other. A
settlement takes the snapshot of what has ended, stores all results of it, moves the dead letters, and
acknowledges exactly that snapshot. What ended meanwhile waits for the next one. When storing fails,
the acks are withheld: a crash now repeats work and loses none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from umbel.transports.channel import Channel

__all__ = ["Batching", "batch_results"]


@runtime_checkable
class Batching(Protocol):
    """A result backend that can hold results back until a settlement."""

    def start_batching(self) -> None:
        """Buffer final results until :meth:`flush`."""
        ...

    def flush(self) -> None:
        """Store what is buffered; on failure keep it and raise."""
        ...


def batch_results(channel: Channel, backend: object) -> bool:
    """Store results in the channel's settlements; False when the backend stores each at once by itself."""
    if not isinstance(backend, Batching):
        return False
    backend.start_batching()
    channel.barrier = backend.flush
    return True
