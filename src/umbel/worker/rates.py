"""Rate limits of tasks: who may start now, who waits here, and who waits in the broker.

    token free ─► runs
    few wait   ─► waits in this shard, in order, for the next token
    many wait  ─► goes back to the broker until about its turn

So a shard hoards no more than a second's worth of a limited task, and its slots are free for others.
The limit is meant for the whole worker; each shard gets an equal part of it.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from kombu.utils.limits import TokenBucket

__all__ = ["RateBucket"]

_LONGEST = 60.0
"""Seconds that a message goes back to the broker for, at most: the limit may be raised meanwhile."""
_MOST = 100
"""So many requests of one task wait in a shard at most."""


class RateBucket(TokenBucket):
    """A shard's tokens for one task, of ``rate`` a second over all ``shards``. Every method may be called
    from any thread.
    """

    def __init__(self, rate: float, *, shards: int = 1) -> None:
        super().__init__(rate / shards, capacity=1)
        self._lock = threading.Lock()
        self._room = min(max(1, math.ceil(self.fill_rate)), _MOST)
        self._spacing = 1 / rate
        self._booked_until = 0.0
        self._watched = False

    def take(self) -> bool:
        """Take a token, unless there is none or somebody waits already."""
        with self._lock:
            return not self.contents and self.can_consume(1)

    def queue(self, request: Any, *, bounded: bool) -> bool:  # noqa: ANN401 - Celery's request
        """Let the request wait here; False when there is no room. Without ``bounded`` there always is."""
        with self._lock:
            if bounded and len(self.contents) >= self._room:
                return False
            self.contents.append((request, 1))
            return True

    def book(self) -> float:
        """Return after how many seconds a request that finds no room here should come back.

        They come back at the rate of the whole worker, because any shard may claim them; when all shards
        send some away, some come too early, and are sent away again.
        """
        with self._lock:
            now = time.monotonic()
            # Half of those that wait here are still before it then, so that no token is left unused.
            turn = max(self._booked_until, now + len(self.contents) / 2 / self.fill_rate)
            self._booked_until = turn + self._spacing
            return float(min(turn - now, _LONGEST))

    def watch(self) -> float | None:
        """Return after how many seconds to look for the next token; None when somebody does already."""
        with self._lock:
            if self._watched or not self.contents:
                return None
            self._watched = True
            return float(self.expected_time(1))

    def released(self) -> list[Any]:
        """Return the requests whose tokens have come, in order; the watch is over."""
        with self._lock:
            self._watched = False
            due = []
            while self.contents and self.can_consume(1):
                due.append(self.contents.popleft()[0])
            return due
