"""Where a command's results go: stdout for data, stderr for remarks, progress and questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from umbel.cli.failures import declined
from umbel.cli.rendering.documents import as_json
from umbel.cli.session import Session

__all__ = ["Output"]

_UNBOUNDED = 10_000
"""The width where nobody looks: nothing is cut or wrapped for a pipe or a file."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the program end as a broken pipe instead of as a failure."""
        raise BrokenPipeError


class Output:
    """What one command writes. With ``--json`` only :meth:`document` writes to stdout."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def width(self) -> int:
        """The columns that can be used."""
        return self._console(sys.stdout).width

    def document(self, value: Any) -> bool:  # noqa: ANN401 - any result
        """With ``--json`` print the value and return True; the caller has nothing left to do."""
        if self._session.json:
            click.echo(as_json(value))
        return self._session.json

    def show(self, renderable: RenderableType) -> None:
        """Print a table or text to stdout; without trailing blanks where it is no terminal."""
        console = self._console(sys.stdout)
        if sys.stdout.isatty():
            console.print(renderable)
            return
        with console.capture() as capture:
            console.print(renderable)
        click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))

    def say(self, text: str) -> None:
        """Print one sentence about what was done."""
        click.echo(text)

    def remark(self, text: str) -> None:
        """Print something that is no result to stderr, unless a machine reads."""
        if not self._session.json:
            click.echo(text, err=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on the terminal, unless ``yes``.

        Raises:
            UmbelError: the answer was no, or there is nobody to ask.
        """
        if yes:
            return
        if self._session.json or not sys.stdin.isatty():
            raise declined("this needs to be confirmed", hint="pass --yes")
        if not click.confirm(question, err=True):
            raise declined("the answer was no", hint="")

    @contextmanager
    def progress(self, title: str, done: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a progress bar on stderr while the block runs, where a person can see it.

        When Ctrl-C ends the block, say how far it came.
        """
        reached = 0

        def advance(completed: int) -> None:
            nonlocal reached
            reached = completed
            bar.update(task, completed=completed)

        bar = self._bar()
        task = bar.add_task(title, total=total)
        try:
            with bar:
                yield advance
        except KeyboardInterrupt:
            self.remark(f"Stopped: {reached:,} of {total:,} {done}.".replace(",", " "))
            raise

    def _bar(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        watched = sys.stderr.isatty() and not self._session.json
        return Progress(*columns, console=self._console(sys.stderr), transient=True, disable=not watched)

    def lines(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Print labelled values, one under the other; pairs with an empty value are left out."""
        shown = [(label, value) for label, value in pairs if value]
        wide = max((len(label) for label, _ in shown), default=0)
        colour = self._session.colours(sys.stdout)
        for label, value in shown:
            head = f"{label:<{wide}}"
            click.echo(f"{click.style(head, bold=True) if colour else head}  {value}", color=True)

    def _console(self, stream: IO[str]) -> Console:
        terminal = stream.isatty()
        width = None if terminal or os.environ.get("COLUMNS") else _UNBOUNDED
        return _Console(
            file=stream,
            width=width,
            no_color=not self._session.colours(stream),
            highlight=False,
            markup=False,
            emoji=False,
        )
