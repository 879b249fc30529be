"""The application: ``Umbel``, ``install`` for apps that exist, and ``shared_task``."""

from __future__ import annotations

from umbel.app.application import Umbel, shared_task
from umbel.app.installation import Installation, install

__all__ = ["Installation", "Umbel", "install", "shared_task"]
