"""Makes a process die with its parent.

Linux sends a signal of our choice when the parent's thread that forked us ends (PR_SET_PDEATHSIG,
prctl(2)); it works even while a body hogs the interpreter's lock. Where that does not exist, the
process that owns the wire notices its end of file instead.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when ``parent`` (a pid) dies; exit at once if it is already gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
