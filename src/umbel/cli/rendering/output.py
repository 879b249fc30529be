"""Where a command's results go: stdout for data, stderr for remarks, progress and questions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from umbel.cli.failures import declined
from umbel.cli.rendering.documents import as_json
from umbel.cli.rendering.tables import Grid
from umbel.cli.rendering.words import harmless
from umbel.cli.session import Session

__all__ = ["Output"]

_UNBOUNDED = 10_000
"""The width where nobody looks: nothing is cut or left out for a pipe or a file."""
_PIECE = 32_768
"""Characters that are written at once."""


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
        """The columns that can be used; more than enough where stdout is no terminal."""
        return self._console(sys.stdout).width if sys.stdout.isatty() else _UNBOUNDED

    def document(self, value: Any) -> bool:  # noqa: ANN401 - any result
        """With ``--json`` print the value and return True; the caller has nothing left to do."""
        if self._session.json:
            _write(as_json(value))
        return self._session.json

    def show(self, content: Grid | Text) -> None:
        """Print to stdout: a table is fitted to a terminal, and nothing is cut or coloured in a pipe."""
        if sys.stdout.isatty():
            shown = content.fitted(self.width) if isinstance(content, Grid) else content
            self._console(sys.stdout).print(shown, soft_wrap=True)
            return
        _write("\n".join(content.lines()) if isinstance(content, Grid) else content.plain)

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
            text = harmless(value).replace("\n", "\n" + " " * (wide + 2))
            click.echo(f"{click.style(head, bold=True) if colour else head}  {text}", color=True)

    def _console(self, stream: IO[str]) -> Console:
        return _Console(
            file=stream,
            no_color=not self._session.colours(stream),
            highlight=False,
            markup=False,
            emoji=False,
        )


def _write(text: str) -> None:
    """Write to stdout in pieces: an unbuffered stream takes one long piece for written when half of it was."""
    for at in range(0, len(text), _PIECE):
        sys.stdout.write(text[at : at + _PIECE])
    sys.stdout.write("\n")
