"""What must be made anew in a child process: one hook for every object that holds locks or descriptors."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["Forkable", "renew_in_children"]


class Forkable(Protocol):
    """An object that can make itself usable in a forked child."""

    def after_fork_in_child(self) -> None:
        """Replace locks (a thread that is not here may hold them) and forget what belongs to the parent."""
        ...


_forkables: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renew_in_children(item: Forkable) -> None:
    """Call ``item.after_fork_in_child()`` in every child that is forked while ``item`` lives."""
    _forkables.add(item)


def _after_fork_in_child() -> None:
    for item in list(_forkables):
        item.after_fork_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
