"""What can go wrong with a run."""

from __future__ import annotations

from umbel.errors import UmbelError

__all__ = ["DemoError"]


class DemoError(UmbelError):
    """The demo could not be run to its end."""

    error_code = "DEMO_FAILED"
