"""The zygote's program: ``python -m umbel.control.zygote DESCRIPTOR PARENT``, started by the supervisor."""

from __future__ import annotations

import io
from typing import Any

from umbel.app import install
from umbel.worker.zygote import main

__all__ = ["prepare"]


def prepare(app: Any) -> None:  # noqa: ANN401 - a Celery application; celery is untyped
    """Make a plain Celery application run on shards; what differs from Umbel's defaults is not asked for here."""
    install(app, output=io.StringIO())


if __name__ == "__main__":
    main(prepare)
