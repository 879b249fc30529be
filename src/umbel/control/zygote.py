"""The zygote's program: ``python -m umbel.control.zygote DESCRIPTOR PARENT``, started by the supervisor."""

from __future__ import annotations

from umbel.app import install
from umbel.worker.zygote import main

if __name__ == "__main__":
    main(install)
