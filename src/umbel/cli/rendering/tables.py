"""Tables without lines: aligned columns that also read well when piped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

__all__ = ["Cell", "Column", "Grid", "count"]

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column. Only ``soft`` cells are cut, to no less than ``least`` characters, where the terminal
    is narrow: an id or a number that is cut is worth nothing.
    """

    title: str
    right: bool = False
    soft: bool = False
    least: int = 12

    @property
    def justify(self) -> Literal["left", "right"]:
        """How the cells are aligned."""
        return "right" if self.right else "left"

    def width(self, cells: Iterable[Cell]) -> int:
        """Return the narrowest width."""
        widest = max((len(cell) for cell in (self.title, *cells)), default=0)
        return min(self.least, widest) if self.soft else widest


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of literal text under their columns."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def fitted(self) -> Table:
        """Build what a terminal shows: in colours, no wider than it."""
        grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
        for number, column in enumerate(self.columns):
            narrowest = column.width(row[number] for row in self.rows)
            grid.add_column(
                column.title, justify=column.justify, no_wrap=True, overflow="ellipsis", min_width=narrowest
            )
        for row in self.rows:
            grid.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
        return grid

    def lines(self) -> Iterator[str]:
        """Give the lines of a pipe or a file: aligned, never cut, quick for many thousand rows."""
        texts = [[column.title for column in self.columns], *([str(cell) for cell in row] for row in self.rows)]
        widths = [max(map(len, cells)) for cells in zip(*texts, strict=True)]
        for row in texts:
            cells = zip(row, self.columns, widths, strict=True)
            yield "  ".join(cell.rjust(w) if column.right else cell.ljust(w) for cell, column, w in cells).rstrip()


def count(number: int, *, style: str = "") -> Text:
    """Return a number grouped in thousands; zero is faint, and others carry ``style``."""
    return Text(f"{number:,}".replace(",", " "), style=style if number else "dim")
