"""How a failure looks: one line and a hint, or the error contract as JSON, both on stderr."""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

import click

from umbel.cli.exits import Exit, exit_of
from umbel.cli.rendering.words import one_line
from umbel.cli.session import Session
from umbel.errors import UmbelError, describe

__all__ = ["declined", "report"]

_UNEXPECTED = "this is unexpected: --debug shows where it happened"


def declined(message: str, *, hint: str) -> UmbelError:
    """Return the error of a question that was answered with no, or that nobody could answer."""
    return UmbelError(f"nothing was done: {message}", hint=hint, error_code="NOT_CONFIRMED")


def report(error: BaseException, session: Session) -> int:
    """Write the failure to stderr and return the exit code."""
    if isinstance(error, click.exceptions.Exit):
        return int(error.exit_code)
    if session.debug:
        _trace(error)
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return _interrupted(error, session)
    if isinstance(error, click.ClickException):
        return _usage(error, session)
    contract = describe(error)
    # A traceback of another process was printed with --debug, and is not for anybody else.
    contract["details"] = {key: value for key, value in contract["details"].items() if key != "traceback"}
    if not isinstance(error, UmbelError) and not session.debug:
        contract["hint"] = _UNEXPECTED
    _write(contract, session)
    return exit_of(error)


def _trace(error: BaseException) -> None:
    """Print the traceback, and that of another process when the error has brought one."""
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, UmbelError) and "traceback" in error.details:
        click.echo(f"\nIn the process that failed:\n{error.details['traceback']}", err=True)


def _interrupted(error: BaseException, session: Session) -> int:
    if isinstance(error, click.Abort) and isinstance(error.__cause__, EOFError):
        _write(declined("the question was not answered", hint="pass --yes").contract(), session)
        return Exit.FAILED
    _write(UmbelError("interrupted", error_code="INTERRUPTED").contract(), session)
    return Exit.INTERRUPTED


def _usage(error: click.ClickException, session: Session) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"{context.command_path} --help" if context else "umbel --help"
    message = error.format_message().rstrip(".")
    _write(UmbelError(_lower_first(message), hint=hint, error_code="USAGE").contract(), session)
    return Exit.USAGE


def _lower_first(text: str) -> str:
    """Return click's sentence in the style of ours; names in capitals stay."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _write(contract: dict[str, Any], session: Session) -> None:
    if session.json:
        click.echo(json.dumps(contract, default=str, ensure_ascii=False), err=True)
        return
    label, hint_label = "error:", "hint:"
    if session.colours(sys.stderr):
        label, hint_label = click.style(label, fg="red", bold=True), click.style(hint_label, fg="cyan")
    message = one_line(str(contract["message"])) or "no message"
    click.echo(f"{label} {contract['error_code']}: {message}", err=True, color=True)
    if contract["hint"]:
        click.echo(f"{hint_label} {one_line(str(contract['hint']))}", err=True, color=True)
