"""Every command, as a user meets it: listed truthfully, helped well, speaking JSON."""

from collections.abc import Iterator

import click
import pytest

from umbel.cli.catalogue import COMMANDS
from umbel.cli.program import umbel
from umbel.cli.session import Session


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, click.Context(child, info_name=name, parent=context))


ROOT = click.Context(umbel, info_name="umbel", obj=Session())
EVERY = [pytest.param(command, context, id=context.command_path) for command, context in walk(umbel, ROOT)]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name):
    command = umbel.get_command(ROOT, name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").split("\n", maxsplit=1)[0] == COMMANDS[name].summary


@pytest.mark.parametrize(("command", "context"), EVERY)
def test_every_command_speaks_json(command, context):
    assert "--json" in {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize(("command", "context"), EVERY)
def test_every_help_begins_with_a_sentence_that_fits_a_list(command, context):
    first = (command.help or "").split("\n", maxsplit=1)[0]
    assert first.endswith((".", ")."))
    assert len(first) <= 65


@pytest.mark.parametrize(("command", "context"), EVERY)
def test_every_visible_option_has_a_help(command, context):
    silent = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden and not parameter.help
    ]
    assert not silent


@pytest.mark.parametrize(("command", "context"), EVERY)
def test_no_help_page_is_wider_than_a_narrow_terminal(command, context):
    narrow = click.Context(command, info_name=context.info_name, parent=context.parent, terminal_width=80)
    assert [line for line in command.get_help(narrow).splitlines() if len(line) > 80] == []
