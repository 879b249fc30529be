"""How failures look, on stderr alone."""

import json

import click
import pytest

from umbel.cli.failures import report
from umbel.cli.session import Session
from umbel.errors import QueueNotFoundError, StorageFullError, UmbelError


def test_an_error_is_one_line_with_its_code_and_a_line_with_the_hint(capsys):
    assert report(StorageFullError("umbel.db:\n the disk is full"), Session()) == 4
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [
        "error: STORAGE_FULL: umbel.db: the disk is full",
        "hint: free space on the disk that holds the file; nothing that was stored is lost",
    ]


def test_an_error_without_a_hint_is_one_line(capsys):
    report(UmbelError("it failed"), Session())
    assert capsys.readouterr().err == "error: UMBEL_ERROR: it failed\n"


def test_with_json_an_error_is_the_contract_as_one_line(capsys):
    assert report(QueueNotFoundError("no bulk", hint="look", queue="bulk"), Session(json=True)) == 5
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert json.loads(err) == {
        "error_code": "QUEUE_NOT_FOUND",
        "message": "no bulk",
        "retryable": False,
        "details": {"queue": "bulk"},
        "hint": "look",
    }


def test_an_unexpected_error_shows_no_traceback_and_says_how_to_see_it(capsys):
    assert report(KeyError("x"), Session()) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert err.startswith("error: KeyError: 'x'\nhint: ")
    assert "--debug" in err


def test_with_debug_the_traceback_comes_before_the_line(capsys):
    try:
        raise ValueError("deep")
    except ValueError as error:
        report(error, Session(debug=True))
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert err.rstrip().endswith("error: ValueError: deep")


def test_the_traceback_of_another_process_shows_with_debug_alone(capsys):
    error = UmbelError("it failed", traceback="deep inside", app="shop")
    report(error, Session(json=True))
    assert json.loads(capsys.readouterr().err)["details"] == {"app": "shop"}
    report(error, Session(debug=True))
    assert "In the process that failed:\ndeep inside\n" in capsys.readouterr().err


def test_a_usage_error_names_the_help_of_its_command(capsys):
    context = click.Context(click.Command("purge"), info_name="umbel queues purge")
    assert report(click.UsageError("Missing argument 'NAME'.", context), Session()) == 2
    assert capsys.readouterr().err == ("error: USAGE: missing argument 'NAME'\nhint: umbel queues purge --help\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_one_word_and_its_own_code(error, capsys):
    assert report(error, Session()) == 130
    assert capsys.readouterr().err == "error: INTERRUPTED: interrupted\n"


def test_an_unanswered_question_is_a_failure_and_names_yes(capsys):
    unanswered = click.Abort()
    unanswered.__cause__ = EOFError()
    assert report(unanswered, Session()) == 1
    assert "--yes" in capsys.readouterr().err
