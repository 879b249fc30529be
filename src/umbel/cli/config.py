"""``umbel config``: what holds and where it was said, whether it is right, and how to begin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import click

from umbel.cli.catalogue import InOrder
from umbel.cli.session import Session
from umbel.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.text import Text

    from umbel.cli.rendering.output import Output
    from umbel.control.configuration import CheckedConfiguration, ConfigurationEntry

__all__ = ["config"]


_LAYERS = """\b
Each source lies over those before it:
  built-in defaults
  config/default.toml
  config/{APP_ENV}.toml
  .env
  the environment, as UMBEL__SECTION__KEY"""
_SEVERAL = 2
_WIDEST = 40
"""Where the origins stand, unless a value is longer."""


@click.group(cls=InOrder, epilog=_LAYERS)
def config() -> None:
    """Show, check and begin the configuration.

    Secrets belong in .env or in the environment, never in a TOML file.
    """


@config.command()
@click.argument("names", nargs=-1, metavar="[SECTION|KEY]...")
@click.option("--origin", is_flag=True, help="Say beside each value where it was said.")
@click.option("--said", is_flag=True, help="Leave out what is the built-in default.")
@click.pass_obj
def show(session: Session, names: tuple[str, ...], *, origin: bool, said: bool) -> None:
    """Print the settings that hold, as TOML; secrets are hidden."""
    from rich.text import Text

    from umbel.cli.rendering.output import Output
    from umbel.control.configuration import show_configuration

    out = Output(session)
    entries = show_configuration(config_dir=session.config_dir, only=names, said=said)
    if out.document({"settings": [_as_json(entry) for entry in entries]}):
        return
    if not entries:
        out.remark("Nothing is said anywhere: all settings are the built-in defaults.")
        return
    out.show(Text("\n", no_wrap=True, overflow="ignore").join(_lines(entries, origin=origin)))


@config.command()
@click.pass_obj
def check(session: Session) -> None:
    """Say whether every file and variable is right, or all that is not.

    The exit code is 0 for a valid configuration and 3 for any other.
    """
    from umbel.cli.rendering.output import Output
    from umbel.control.configuration import check_configuration

    out = Output(session)
    try:
        checked = check_configuration(config_dir=session.config_dir)
    except ConfigurationError as error:
        if not session.json:
            _list(error, out)
        raise
    if out.document(checked):
        return
    out.lines(list(_sources(checked)))
    for warning in checked.warnings:
        out.remark(f"warning: {warning}")
    out.say(f"The configuration for {checked.environment} is valid; it says {_settings(checked.said)}.")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the TOML files, for editors.

    Save it as config/umbel.schema.json; the files of "umbel config init" name it.
    """
    from umbel.control.configuration import configuration_schema

    click.echo(json.dumps(configuration_schema(), indent=2, ensure_ascii=False))


@config.command()
@click.pass_obj
def init(session: Session) -> None:
    """Write the files to begin with.

    They are config/default.toml, config/development.toml and .env.example.

    Every key stands there as a comment, with what it means and its default. Files that
    exist are left as they are.
    """
    from umbel.cli.rendering.output import Output
    from umbel.control.configuration import init_configuration

    out = Output(session)
    files = init_configuration(config_dir=session.config_dir)
    if out.document({"files": files}):
        return
    out.lines([("wrote" if file.created else "kept", str(file.path)) for file in files])


def _list(error: ConfigurationError, out: Output) -> None:
    """Say several problems one below the other, and leave their number to the error; one is its own message.

    Raises:
        ConfigurationError: with the number of the problems, which have been said.
    """
    problems = error.details.get("problems", [])
    if len(problems) < _SEVERAL:
        return
    for problem in problems:
        out.say(f"{problem['message']}\n    {problem['remedy']}")
    raise type(error)(f"{len(problems)} problems", hint="mend the lines above", **error.details) from error


def _lines(entries: tuple[ConfigurationEntry, ...], *, origin: bool) -> Iterator[Text]:
    from rich.text import Text

    wide = max((len(text) for text in map(_assignment, entries) if len(text) <= _WIDEST), default=0)
    for number, (section, members) in enumerate(groupby(entries, key=lambda entry: entry.section)):
        yield Text(f"{chr(10) if number else ''}[{section}]", style="bold")
        for entry in members:
            style = "dim" if entry.kind == "default" else ""
            line = Text(_assignment(entry), style=style)
            if origin:
                line.append(f"{' ' * (wide - len(line))}  # {entry.origin}", style=style or "cyan")
            yield line


def _assignment(entry: ConfigurationEntry) -> str:
    return f"{entry.key} = {entry.value}"


def _as_json(entry: ConfigurationEntry) -> dict[str, str]:
    return {"key": entry.name, "value": entry.value, "origin": entry.origin, "kind": entry.kind.value}


def _sources(checked: CheckedConfiguration) -> Iterator[tuple[str, str]]:
    for file in checked.files:
        yield str(file.path), "read" if file.exists else "not there"
    yield "environment", f"{checked.variables} variable{'' if checked.variables == 1 else 's'} with UMBEL__"


def _settings(count: int) -> str:
    if not count:
        return "nothing, so every setting is the built-in default"
    return "one setting" if count == 1 else f"{count} settings"
