"""Tables without lines: aligned columns that also read well when piped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

__all__ = ["Cell", "Column", "count", "table"]

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``whole`` cells are never cut (ids are copied); others end in an ellipsis when the
    terminal is narrow. ``least`` is the narrowest width.
    """

    title: str
    right: bool = False
    whole: bool = False
    least: int | None = None

    @property
    def justify(self) -> Literal["left", "right"]:
        """How the cells are aligned."""
        return "right" if self.right else "left"


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> Table:
    """Build the table; cells are literal text."""
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        grid.add_column(
            column.title,
            justify=column.justify,
            no_wrap=True,
            overflow="ellipsis",
            min_width=column.least if not column.whole else None,
        )
        if column.whole:
            grid.columns[-1].no_wrap = True
            grid.columns[-1].overflow = "fold"
    for row in rows:
        grid.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return grid


def count(number: int, *, style: str = "") -> Text:
    """Return a number grouped in thousands; zero is faint, and others carry ``style``."""
    return Text(f"{number:,}".replace(",", " "), style=style if number else "dim")
