"""The folder of one run: its configuration, and everything that the run writes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from umbel.demo.errors import DemoError

__all__ = ["QUEUES", "isolated", "make_folder", "write_config"]

QUEUES = "sqlite:///queues.db"
"""The broker's URL, relative to the folder."""

_CONFIG = f"""\
# One file for the queues and one for the results, so that claims and results do not wait for each other.
[app]
name = "flights"

[broker]
url = "{QUEUES}"

[results]
url = "sqlite:///results.db"

[tasks]
default_queue = "bulk"
time_limit = "60s"
soft_time_limit = "50s"

[worker]
# These tasks take a millisecond: a shard that was replaced after a thousand of them would hardly live.
max_tasks_per_shard = "none"
# What a shard claims ahead delays what is critical: claim less than by default.
prefetch_target = "50ms"

[logging]
level = "WARNING"
"""


def make_folder(output: Path | None) -> Path:
    """Make the run's folder: ``output``, which must be empty or missing, or a new temporary one.

    Raises:
        DemoError: ``output`` has something in it.
    """
    if output is None:
        return Path(tempfile.mkdtemp(prefix="umbel-demo-"))
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise DemoError(f"{output}: expected an empty folder, found files in it", hint="name a new folder")
    return output.resolve()


def write_config(folder: Path) -> None:
    """Write the run's configuration."""
    (folder / "config").mkdir()
    (folder / "config" / "default.toml").write_text(_CONFIG)


@contextmanager
def isolated(folder: Path) -> Iterator[None]:
    """Work in the folder, out of reach of the user's own Umbel configuration."""
    before, environment = Path.cwd(), dict(os.environ)
    for name in environment:
        if name == "APP_ENV" or name.startswith(("UMBEL_", "CELERY_")):
            del os.environ[name]
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
