"""Text from messages must not drive the terminal that shows it."""

from hypothesis import given
from hypothesis import strategies as st

from umbel.cli.rendering.words import harmless, one_line


def test_an_escape_sequence_is_written_out():
    assert harmless("\x1b]0;owned\x07 \x9b31m") == "\\x1b]0;owned\\x07 \\x9b31m"


def test_text_that_changes_its_direction_is_written_out():
    assert harmless("user\u202etxt.exe") == "user\\u202etxt.exe"


def test_a_file_name_that_is_not_utf8_can_be_written_to_a_terminal():
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    assert harmless(name) == r"caf\udce9.csv"


def test_line_breaks_and_letters_of_any_language_stay():
    assert harmless("żółw\n\t日本") == "żółw\n\t日本"


@given(st.text())
def test_one_line_is_one_line_without_control_characters(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in line)
