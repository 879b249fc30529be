"""The ``umbel`` program: the root command, and the one place where errors become an exit code.

Every failure is one line on stderr and a hint, or with ``--json`` the error contract as one line of
JSON; a traceback shows only with ``--debug``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from umbel._version import __version__
from umbel.cli import failures
from umbel.cli.catalogue import Catalogue, ReaderGone
from umbel.cli.exits import Exit
from umbel.cli.session import Session, shared_options

__all__ = ["ending", "run", "umbel"]

_EPILOG = """\b
Exit codes: 0 done, 1 failed, 2 usage, 3 configuration, 4 storage, 5 not found
Guide:      umbel COMMAND --help"""


@click.command(
    cls=Catalogue,
    context_settings={"help_option_names": ["-h", "--help"], "obj": None},
    invoke_without_command=True,
    epilog=_EPILOG,
)
@shared_options
@click.version_option(__version__, "-V", "--version", message="umbel %(version)s")
@click.pass_context
def umbel(context: click.Context) -> None:
    """Umbel makes Celery production-grade.

    Name the app with -A, as with Celery. Without it the operator's commands read the
    broker's URL from the configuration (config/*.toml, .env, environment).
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Known before the line is parsed, because a line that cannot be parsed must be answered too.
    session = Session(json="--json" in words, debug="--debug" in words)
    return ending(lambda: umbel.main(words, prog_name="umbel", standalone_mode=False, obj=session), session)


def ending(command: Callable[[], Any], session: Session) -> int:
    """Run a command and return its exit code, whatever happens; failures have been written then."""
    try:
        result = command()
    except (ReaderGone, BrokenPipeError):
        return _give_up_stdout()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last frame: all becomes an exit code
        return failures.report(error, session)
    return int(result) if isinstance(result, int) else Exit.OK


def _give_up_stdout() -> int:
    # The interpreter flushes stdout once more at exit; it must find somewhere to write.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return Exit.BROKEN_PIPE
