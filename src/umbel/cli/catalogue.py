"""The list of commands, by section: names and one-line helps without importing any of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from umbel.cli.session import share

__all__ = ["COMMANDS", "Catalogue", "Entry", "InOrder", "ReaderGone"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives (``module:attribute``), its section, and the first line of its help."""

    home: str
    section: str
    summary: str


COMMANDS = {
    "worker": Entry("umbel.cli.worker:worker", "Run", "Run tasks: a supervisor and its shards."),
    "demo": Entry("umbel.cli.demo:demo", "Run", "Run a real job over real data, with a crash in the middle."),
    "queues": Entry("umbel.cli.queues:queues", "Operate", "Show what waits; pause, resume or purge a queue."),
    "workers": Entry("umbel.cli.workers:workers", "Operate", "Show who consumes, and what runs now."),
    "tasks": Entry("umbel.cli.tasks:tasks", "Operate", "Find or cancel one task by its id."),
    "deadletters": Entry("umbel.cli.deadletters:deadletters", "Operate", "List, replay or discard what failed."),
    "config": Entry("umbel.cli.config:config", "Set up", "Show, check and begin the configuration."),
}


class ReaderGone(Exception):  # noqa: N818 - an end, not an error
    """The reader of the output went away."""


class InOrder(click.Group):
    """A group that lists its commands as they were defined: the harmless before the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, first defined first."""
        return list(self.commands)


class Catalogue(click.Group):
    """A group whose commands are imported when they are used."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command, and what it has left to write.

        Raises:
            ReaderGone: nobody reads the output any more. Click would end the process itself.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as problem:
            raise ReaderGone from problem
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the sections."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command; None for an unknown name."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.home.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        self.commands[cmd_name] = share(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"no such command {args[0]!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write one list for each section."""
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name, entry.summary) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows, col_max=20)
