"""The ids that were revoked in the lifetime of one worker, in a file that all its shards share.

Celery keeps them in the memory of a node. Shards come and go while their worker stays, so each one writes
down what it hears, and a new one begins with what its predecessors heard. Lines are ``time id``; the time is
monotonic, as Celery's own.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from celery.worker import state
from celery.worker.control import Panel

__all__ = ["Revocations", "remove_outdated"]

_LARGEST = 4 * 1024 * 1024
"""Bytes; a larger file is written anew, without repeats and without what Celery would have forgotten."""


class Revocations:
    """The file of one worker. Any of its shards may write at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def follow(self) -> None:
        """Know what the worker's shards have heard so far, and from now on write down what this one hears."""
        remove_outdated(self._path.parent)
        self.recall()
        revoke = Panel.data["revoke"]

        def remembering(control: Any, task_id: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - Celery's own
            answer = revoke(control, task_id, *args, **options)
            self.remember([task_id] if isinstance(task_id, str) else task_id or [])
            return answer

        Panel.data["revoke"] = remembering

    def recall(self) -> None:
        """Tell Celery what stands in the file."""
        with self._locked() as descriptor:
            for task_id, at in _read(descriptor).items():
                state.revoked.add(task_id, now=at)

    def remember(self, task_ids: Iterable[str]) -> None:
        """Write ids down."""
        now = time.monotonic()
        with self._locked() as descriptor:
            os.lseek(descriptor, 0, os.SEEK_END)
            os.write(descriptor, "".join(f"{now} {task_id}\n" for task_id in task_ids if _fits(task_id)).encode())
            if os.fstat(descriptor).st_size > _LARGEST:
                _write_anew(descriptor, now)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def remove_outdated(folder: Path) -> None:
    """Remove the files of workers that were killed, once everything in them is past remembering."""
    for path in folder.glob("*.revoked"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > state.REVOKE_EXPIRES:
                path.unlink()


def _fits(task_id: object) -> bool:
    return isinstance(task_id, str) and task_id.isprintable()


def _read(descriptor: int) -> dict[str, float]:
    """Return the ids, each with the last time that it was revoked, the oldest first."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), encoding="utf-8") as lines:
        found: dict[str, float] = {}
        for line in lines:
            at, _, task_id = line.rstrip("\n").partition(" ")
            found.pop(task_id, None)
            found[task_id] = float(at)
    return found


def _write_anew(descriptor: int, now: float) -> None:
    kept = [(task_id, at) for task_id, at in _read(descriptor).items() if now - at < state.REVOKE_EXPIRES]
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, "".join(f"{at} {task_id}\n" for task_id, at in kept[-state.REVOKES_MAX :]).encode())
