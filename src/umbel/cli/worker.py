"""``umbel worker``: turns options into :class:`~umbel.worker.WorkerOptions` and runs the supervisor.

The user's app is not imported in this process: the supervisor must stay small, and only the zygote's
children may hold the app's connections.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from umbel.cli.parameters import COUNT, DURATION, SIZE
from umbel.cli.session import Session

__all__ = ["worker"]

_PORT = click.IntRange(1, 65535)
_LEVEL = click.Choice(("debug", "info", "warning", "error", "critical"), case_sensitive=False)


def _refuse(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401 - any value
    if value is not None:
        raise click.UsageError(
            f"{parameter.opts[-1]} belongs to celery worker: here say --processes and --threads, "
            "or run celery -A module:app worker, which works on the same broker",
            context,
        )


@click.command()
@click.option("--processes", type=COUNT, metavar="N", help="Shards: processes that run tasks.")
@click.option("--threads", type=COUNT, metavar="N", help="Tasks at once in each shard.")
@click.option("-Q", "--queues", metavar="A,B", help="Queues to consume. [default: the app's]")
@click.option("-n", "--hostname", metavar="NAME", help="The node name; %h is the host. [default: celery@%h]")
@click.option("-l", "--loglevel", type=_LEVEL, metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.option("--max-tasks-per-shard", type=COUNT, metavar="N", help="Replace a shard after N tasks.")
@click.option("--max-memory-per-shard", type=SIZE, help='Replace a shard above this, as "256 MiB".')
@click.option("--drain-timeout", type=DURATION, help="How long SIGTERM waits for running tasks.")
@click.option("--grace", type=DURATION, help="How long the neighbours of a task past its hard limit may run on.")
@click.option(
    "--health-file", type=click.Path(path_type=Path), metavar="FILE", help="Touched while the worker is well."
)
@click.option("--health-port", type=_PORT, metavar="PORT", help="Answers /ready and /live on HTTP.")
@click.option("--state-dir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="For run tables.")
@click.option("-c", "--concurrency", hidden=True, expose_value=False, callback=_refuse, is_eager=True)
@click.option("-P", "--pool", hidden=True, expose_value=False, callback=_refuse, is_eager=True)
@click.pass_obj
def worker(session: Session, /, **options: Any) -> int:  # noqa: ANN401 - click's values
    """Run tasks: a supervisor and its shards.

    Each of the --processes shards is a complete Celery worker node with --threads
    threads. What is not given comes from the configuration.

    SIGTERM or Ctrl-C drains: what runs is finished, the rest is given back. The same
    signal again, or SIGQUIT, gives everything back at once. SIGHUP loads the code anew
    and replaces the shards one by one.
    """
    spec = session.require_app("worker")
    from umbel.control.worker import run_worker
    from umbel.worker import WorkerOptions

    return run_worker(spec, WorkerOptions(**_translated(options), **_shared(session)))


def _translated(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options in the units that the worker takes: seconds, bytes, paths as text."""
    found = {name: value for name, value in options.items() if value is not None}
    if "queues" in found:
        found["queues"] = tuple(name.strip() for name in found["queues"].split(",") if name.strip())
    for name, value in found.items():
        if isinstance(value, timedelta):
            found[name] = value.total_seconds()
        elif isinstance(value, Path):
            found[name] = str(value)
    return found


def _shared(session: Session) -> dict[str, Any]:
    return {
        "config_dir": str(session.config_dir) if session.config_dir else None,
        "color": False if session.no_color else None,
    }
