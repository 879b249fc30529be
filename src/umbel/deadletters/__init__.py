"""Dead letters: why a message dies, and how it is moved there."""

from __future__ import annotations

from umbel.deadletters.failure import Failure, attach, attached, failure_of, is_exhausted, mark_exhausted

__all__ = ["Failure", "attach", "attached", "failure_of", "is_exhausted", "mark_exhausted"]
