"""Which host this is: one boot of one kernel, so that a reboot makes another host."""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from functools import cache
from pathlib import Path

__all__ = ["host_identity", "process_start"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_FIELD = 19
"""Field 22 of /proc/PID/stat, counted from the one after the command name (proc(5))."""


@cache
def host_identity() -> str:
    """Return 16 hexadecimal digits that name this boot of this kernel.

    Where the kernel tells no boot id, the host's name and network address stand in for it; a reboot is
    then noticed by the kernel locks alone.
    """
    try:
        identity = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        identity = f"{socket.gethostname()}:{uuid.getnode()}"
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def process_start() -> str:
    """Return when this process started, in the kernel's ticks since boot; "0" where it does not tell."""
    try:
        stat = Path(f"/proc/{os.getpid()}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "0"
    return stat.rpartition(")")[2].split()[_START_FIELD]
