"""Messages between the supervisor, its zygote and the shards.

One pair of sequenced-packet sockets: each message is one packet of JSON, so that the zygote and all
its shards can write to the same end and no message is ever torn. End of file means that the other
side is gone.
"""

from __future__ import annotations

import json
import socket
from typing import Any

__all__ = ["Message", "Wire", "pair"]

Message = dict[str, Any]
_LARGEST = 1 << 18


class Wire:
    """One end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def inherited(cls, descriptor: int) -> Wire:
        """Return the end that a parent process handed down."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._end.fileno()

    def send(self, kind: str, **fields: Any) -> None:  # noqa: ANN401 - JSON values
        """Send one message; a peer that is gone is not an error here, it is noticed on receiving."""
        try:
            self._end.send(json.dumps({"kind": kind, **fields}).encode())
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> Message | None:
        """Return the next message, or None when the peer is gone; blocks until there is one."""
        return self._next(0)

    def rest(self) -> Message | None:
        """Return the next message that has arrived already, or None."""
        return self._next(socket.MSG_DONTWAIT)

    def _next(self, flags: int) -> Message | None:
        try:
            packet = self._end.recv(_LARGEST, flags)
        except (BlockingIOError, ConnectionResetError):
            return None
        if not packet:
            return None
        message: Message = json.loads(packet)
        return message

    def close(self) -> None:
        """Close this end; closing twice is harmless."""
        self._end.close()


def pair() -> tuple[Wire, Wire]:
    """Return two connected ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Wire(ours), Wire(theirs)
