"""The page of the command line, from the commands themselves; ``references.py`` writes it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from umbel.cli.exits import MEANINGS
from umbel.cli.program import umbel
from umbel.cli.session import Session

WIDTH = 92
INTRODUCTION = """\
# Command line

<!-- Generated from src/umbel/cli by `make references`. -->

`umbel` is also there below Celery's own program: `celery -A module:app umbel COMMAND`.

The options of `umbel` itself stand before the command or after it. Tables are for people: they fit the
terminal, and what is piped is never cut. With `--json` a command prints one JSON document on stdout, with
times in ISO 8601; a failure is the error contract (`error_code`, `message`, `retryable`, `details`, `hint`)
as one line of JSON on stderr. Besides the [codes of errors](errors.md) there are `USAGE`, `NOT_CONFIRMED` and
`INTERRUPTED`. Durations and sizes are written with their unit: `30s`, `1h 30m`, `256 MiB`.
"""


def cli_page() -> str:
    """Return the page: exit codes, then the help of every command."""
    return "\n".join([INTRODUCTION, *_exit_codes(), "", *_commands(_context(umbel, "umbel", None))]).rstrip() + "\n"


def _exit_codes() -> list[str]:
    rows = [f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items()]
    return ["## Exit codes", "", "| code | meaning |", "|---|---|", *rows]


def _commands(context: click.Context) -> Iterator[str]:
    level = "#" * min(4, 2 + str(context.command_path).count(" "))
    yield from (f"{level} {context.command_path}", "", "```text", context.get_help(), "```", "")
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None and not command.hidden:
                yield from _commands(_context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command, info_name=name, parent=parent, obj=Session(), terminal_width=WIDTH, help_option_names=["-h", "--help"]
    )
