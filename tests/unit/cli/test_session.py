"""The shared options: before the command, after it, and from the environment."""

import click
import pytest

from umbel.cli.session import Session, share, shared_options


@pytest.fixture
def program() -> click.Group:
    @click.group()
    @shared_options
    def root() -> None:
        pass

    @root.group()
    def things() -> None:
        pass

    @things.command()
    @click.option("--debug", "depth", type=int)
    def show(depth: int | None) -> None:
        pass

    share(things)
    return root


def run(program: click.Group, *words: str) -> Session:
    session = Session()
    program.main(list(words), standalone_mode=False, obj=session)
    return session


@pytest.mark.parametrize(
    "words",
    [
        ("-A", "shop:app", "--json", "things", "show"),
        ("things", "-A", "shop:app", "--json", "show"),
        ("things", "show", "-A", "shop:app", "--json"),
        ("-A", "shop:app", "things", "show", "--json"),
    ],
)
def test_a_shared_option_counts_wherever_it_stands(program, words):
    session = run(program, *words)
    assert (session.app_spec, session.json, session.no_color) == ("shop:app", True, False)


def test_the_option_nearest_to_the_command_wins(program):
    assert run(program, "-A", "one:app", "things", "show", "-A", "two:app").app_spec == "two:app"


def test_a_command_keeps_its_own_option_of_the_same_name(program):
    assert run(program, "things", "show", "--debug", "3").debug is False


def test_the_environment_names_app_and_folder_unless_the_line_does(program, monkeypatch):
    monkeypatch.setenv("UMBEL_APP", "env:app")
    monkeypatch.setenv("UMBEL_CONFIG_DIR", "etc")
    assert run(program, "things", "show").app_spec == "env:app"
    session = run(program, "things", "show", "-A", "line:app")
    assert (session.app_spec, str(session.config_dir)) == ("line:app", "etc")


def test_a_command_that_needs_an_app_says_how_to_name_it():
    with click.Context(click.Command("worker")), pytest.raises(click.UsageError, match="umbel -A module:app worker"):
        Session().require_app("worker")


def test_no_color_and_the_environment_take_colours_away(monkeypatch):
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Session().colours(Terminal())
    assert not Session(no_color=True).colours(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Session().colours(Terminal())
