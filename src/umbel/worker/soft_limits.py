"""Soft time limits: an exception inside the body, so that it can clean up.

In the main thread a signal interrupts even a blocking call. In another thread the interpreter raises
the exception between two bytecodes, so a call that blocks in C is interrupted only when it returns.
The exception may be raised only while the body runs: the guard is armed around the tracer alone, and
arming, firing and disarming exclude each other.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable

from celery.exceptions import SoftTimeLimitExceeded

__all__ = ["SIGNAL", "SoftLimit", "install_handler"]

SIGNAL = signal.SIGUSR1


class SoftLimit:
    """The guard of one slot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline = 0.0
        self._limit = 0.0
        self._notify: Callable[[bool, float], None] | None = None
        self._thread = 0
        self._in_main = False
        self._fired = False

    def bind(self) -> None:
        """Say that the calling thread runs this slot's bodies."""
        self._thread = threading.get_ident()
        self._in_main = threading.current_thread() is threading.main_thread()
        if self._in_main:
            install_handler(self)

    def arm(self, limit: float, deadline: float, notify: Callable[[bool, float], None] | None) -> None:
        """Interrupt the body that starts now once ``deadline`` (monotonic) has passed."""
        self._limit, self._notify, self._fired = limit, notify, False
        self._deadline = deadline

    def disarm(self) -> None:
        """The body has ended; it will not be interrupted any more."""
        self._deadline = 0.0
        with self._lock:
            if self._fired and not self._in_main:
                _set_async_exception(self._thread, None)

    def check(self, now: float) -> None:
        """Interrupt the body if its deadline has passed; called a few times a second from another thread."""
        if not self._deadline or now < self._deadline:
            return
        with self._lock:
            if not self._deadline or self._fired:
                return
            self._fired = True
            notify, limit = self._notify, self._limit
            self._raise()
        if notify is not None:
            notify(True, limit)  # noqa: FBT003 - Celery's signature: (soft, limit)

    def on_signal(self) -> None:
        """Raise in the main thread, if its body is still the one that was too long."""
        if self._deadline and self._fired and time.monotonic() >= self._deadline:
            self._deadline = 0.0
            raise SoftTimeLimitExceeded(self._limit)

    def _raise(self) -> None:
        if self._in_main:
            signal.pthread_kill(self._thread, SIGNAL)
        else:
            _set_async_exception(self._thread, SoftTimeLimitExceeded)


def install_handler(limit: SoftLimit) -> None:
    """Let the signal reach the main thread's guard."""
    signal.signal(SIGNAL, lambda _number, _frame: limit.on_signal())


def _set_async_exception(thread: int, kind: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(kind) if kind is not None else None
    )
