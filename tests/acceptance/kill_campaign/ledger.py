"""The ledger of effects: one line for each start and each end of a body, appended in one write.

A line is ``event kind token id retries redelivered pid nanoseconds``; the time is the host's monotonic
clock, so that lines of all processes and the moments of the kills compare.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Attempt = tuple[str, int]
"""Task id and retry number."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. ``at`` is in monotonic seconds."""

    event: str
    kind: str
    token: str
    id: str
    retries: int
    redelivered: bool
    pid: int
    at: float

    @property
    def attempt(self) -> Attempt:
        return self.id, self.retries


def write(path: Path, event: str, kind: str, token: str, request: Any) -> None:
    """Append a line; safe from any thread of any process."""
    redelivered = int(bool((request.delivery_info or {}).get("redelivered")))
    line = f"{event} {kind} {token} {request.id} {request.retries} {redelivered} {os.getpid()} {time.monotonic_ns()}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


class Ledger:
    """The lines that stand there so far; :meth:`read` takes in what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        self._starts: defaultdict[str, list[Entry]] = defaultdict(list)
        self._ends: defaultdict[str, list[Entry]] = defaultdict(list)
        self._running: dict[tuple[int, Attempt], Entry] = {}
        self._offset = 0

    def read(self) -> Ledger:
        """Take in the lines that are new, and return the ledger."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._take(_parse(line.decode()))
                    self._offset += len(line)
        return self

    def starts_of(self, task_id: str) -> list[Entry]:
        """Return the starts of a task, all its attempts together, in order."""
        return self._starts[task_id]

    def ends_of(self, task_id: str) -> list[Entry]:
        """Return the ends of a task, all its attempts together, in order."""
        return self._ends[task_id]

    def running(self, pid: int) -> list[Entry]:
        """Return the starts in this process that have no end."""
        return [entry for (process, _), entry in self._running.items() if process == pid]

    def _take(self, entry: Entry) -> None:
        self.entries.append(entry)
        key = (entry.pid, entry.attempt)
        if entry.event == "start":
            self._starts[entry.id].append(entry)
            self._running[key] = entry
        else:
            self._ends[entry.id].append(entry)
            self._running.pop(key, None)


def _parse(line: str) -> Entry:
    event, kind, token, task_id, retries, redelivered, pid, at = line.split()
    return Entry(event, kind, token, task_id, int(retries), redelivered == "1", int(pid), int(at) / 1e9)
