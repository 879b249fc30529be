"""The base task, its declared options, and retry rules."""

from __future__ import annotations

from umbel.tasks.options import Declared, declared_of, pack, repair, take_routing
from umbel.tasks.retry import Retry
from umbel.tasks.task import REQUEST, Task

__all__ = ["REQUEST", "Declared", "Retry", "Task", "declared_of", "pack", "repair", "take_routing"]
