"""Tables: whole in a pipe, fitted to a terminal."""

import io

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from umbel.cli.rendering.tables import Column, Grid, count

NAME = "a-name-that-is-quite-a-lot-longer-than-its-column"
GRID = Grid(
    [Column("NAME", soft=True), Column("N", right=True), Column("ID")],
    [(NAME, count(12_345), "0123456789"), ("short", count(0), Text("x", style="red"))],
)


def printed(grid: Grid, width: int) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=False).print(grid.fitted(width), soft_wrap=True)
    return stream.getvalue().splitlines()


def test_a_pipe_gets_every_cell_whole_aligned_and_without_trailing_blanks():
    assert list(GRID.lines()) == [
        f"{'NAME':<{len(NAME)}}       N  ID",
        f"{NAME}  12 345  0123456789",
        f"{'short':<{len(NAME)}}       0  x",
    ]


def test_only_soft_cells_are_cut_in_a_narrow_terminal():
    lines = printed(GRID, 40)
    assert all(len(line) <= 40 for line in lines)
    assert lines[1] == "a-name-that-is-quit…  12 345  0123456789"


def test_a_soft_column_keeps_its_least_width_and_no_heading_is_cut():
    heading, row, _ = printed(GRID, 20)
    assert heading.split() == ["NAME", "N", "ID"]
    assert row == "a-name-that…  12 345  0123456789"


def test_a_roomy_terminal_cuts_nothing():
    assert printed(GRID, 200)[1].rstrip() == f"{NAME}  12 345  0123456789"


def test_wide_letters_keep_the_columns_aligned():
    grid = Grid([Column("NAME"), Column("N")], [("日本語", "1"), ("abc", "2")])
    lines = list(grid.lines())
    assert [cell_len(line[: line.index(end)]) for line, end in zip(lines, "N12", strict=True) if end != "N"] == [8, 8]


def test_a_cell_is_literal_and_stays_on_its_line():
    grid = Grid([Column("MESSAGE", soft=True)], [("[red]two\nlines[/red] \x1b[2J",)])
    assert list(grid.lines())[1] == "[red]two lines[/red] \\x1b[2J"
    assert printed(grid, 80)[1].rstrip() == "[red]two lines[/red] \\x1b[2J"


def test_a_table_without_rows_is_its_headings():
    grid = Grid([Column("NAME"), Column("N")], [])
    assert list(grid.lines()) == ["NAME  N"]
    assert printed(grid, 80) == ["NAME  N"]
