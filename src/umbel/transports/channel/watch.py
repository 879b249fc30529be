"""Sleeping until there is something to do, with the event loop and without it.

Two descriptors: the store's wake-up says that something was published; the nudge is ours, for other
threads (an ack made room) and for ourselves (there is more to do, so come round again at once).
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

from umbel.transports.base import Store, Wakeup

__all__ = ["LoopThread", "Watch"]


_TOLERANCE = 0.001
"""Seconds by which an alarm may be late."""


class LoopThread:
    """Which thread turns a connection's loop: only the others need to nudge it."""

    def __init__(self) -> None:
        self._thread = 0

    def enter(self) -> None:
        """Say that this thread does."""
        self._thread = threading.get_ident()

    def is_here(self) -> bool:
        """Return whether this thread does."""
        return self._thread == threading.get_ident()


class Watch:
    """Wakes one connection. ``nudge`` may be called from any thread; the rest by the consuming one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wakeup: Wakeup | None = None
        self._nudge: _Nudge | None = None
        self._hub: Any = None
        self._on_tick: Callable[[], None] | None = None
        self._entries: list[Any] = []
        self._alarm: Any = None
        self._alarm_at = 0.0

    def open(self) -> None:
        """Be woken from now on: before the first claim, so that nothing slips in between."""
        self._opened()

    def nudge(self) -> None:
        """Make the consuming thread come round at once."""
        nudge = self._nudge
        if nudge is not None:
            nudge.set()

    def wait(self, timeout: float | None) -> bool:
        """Block until something happens or ``timeout`` seconds have passed; True when the store woke us."""
        wakeup, nudge = self._opened()
        poll = select.poll()
        poll.register(wakeup.fileno(), select.POLLIN)
        poll.register(nudge.fileno(), select.POLLIN)
        # Rounded up: waking a little early would mean to come round without a reason.
        ready = {number for number, _ in poll.poll(None if timeout is None else int(timeout * 1000) + 1)}
        nudge.clear()
        if wakeup.fileno() in ready:
            wakeup.clear()
            return True
        return False

    def join(self, hub: Any, on_tick: Callable[[], None], on_wake: Callable[[], None], *, interval: float) -> None:  # noqa: ANN401 - kombu's hub
        """Take part in an event loop: ``on_tick`` on each of its turns, ``on_wake`` when the store woke us."""
        self.leave()
        wakeup, nudge = self._opened()
        self._hub, self._on_tick = hub, on_tick
        hub.add_reader(wakeup.fileno(), _woken, wakeup, on_wake)
        hub.add_reader(nudge.fileno(), nudge.clear)
        hub.on_tick.add(on_tick)
        # A turn at least so often: the loop would sleep longer, and a wake-up may have been missed.
        self._entries = [hub.call_repeatedly(interval, _turn)]

    def alarm(self, seconds: float) -> None:
        """Make the event loop turn after so many seconds, if it would not sooner."""
        at = time.monotonic() + seconds
        # The same moment, computed again, differs by microseconds: that is no reason to ring sooner.
        if self._hub is None or (self._alarm is not None and self._alarm_at <= at + _TOLERANCE):
            return
        self._silence()
        self._alarm, self._alarm_at = self._hub.call_later(seconds, self._rang), at
        # This turn has already decided how long it will sleep.
        self.nudge()

    def leave(self) -> None:
        """Leave the event loop; leaving twice is harmless. A reset loop forgets readers, but not ticks."""
        hub, self._hub = self._hub, None
        if hub is None:
            return
        hub.on_tick.discard(self._on_tick)
        for entry in self._entries:
            entry.cancel()
        self._silence()
        for source in (self._wakeup, self._nudge):
            if source is not None and source.fileno() in hub.readers:
                hub.remove_reader(source.fileno())

    def close(self) -> None:
        """Leave the loop and release the descriptors; closing twice is harmless."""
        self.leave()
        wakeup, self._wakeup = self._wakeup, None
        nudge, self._nudge = self._nudge, None
        if wakeup is not None:
            wakeup.close()
        if nudge is not None:
            nudge.close()

    def _rang(self) -> None:
        self._alarm = None

    def _silence(self) -> None:
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()

    def _opened(self) -> tuple[Wakeup, _Nudge]:
        if self._wakeup is None:
            self._wakeup = self._store.wakeup()
        if self._nudge is None:
            self._nudge = _Nudge()
        return self._wakeup, self._nudge


class _Nudge:
    """A pipe that holds at most one byte."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._is_set = False

    def fileno(self) -> int:
        return self._reader

    def set(self) -> None:
        if not self._is_set:
            self._is_set = True
            with contextlib.suppress(OSError):  # closed meanwhile: nobody sleeps any more
                os.write(self._writer, b"\0")

    def clear(self) -> None:
        # Emptied first: a nudge that comes in between is then followed by the work that it asks for.
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 16)
        self._is_set = False

    def close(self) -> None:
        self._is_set = True
        os.close(self._reader)
        os.close(self._writer)


def _woken(wakeup: Wakeup, on_wake: Callable[[], None]) -> None:
    wakeup.clear()
    on_wake()


def _turn() -> None:
    """Do nothing: the loop calls ``on_tick`` after its timers."""
