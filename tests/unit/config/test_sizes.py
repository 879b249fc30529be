from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.config import Bytes, format_size, parse_size


@given(st.integers(0, 10**20))
def test_what_is_written_is_read_back_exactly(value):
    assert parse_size(format_size(value)) == value


@given(
    st.integers(0, 5000),
    st.sampled_from([("KiB", 2**10), ("MiB", 2**20), ("GiB", 2**30), ("kB", 1000), ("TB", 10**12)]),
)
def test_binary_and_decimal_units_are_told_apart(number, unit):
    name, factor = unit
    assert parse_size(f"{number} {name}") == parse_size(f" {number}{name.lower()} ") == number * factor


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1000, "1 kB"),
        (1024, "1 KiB"),
        (16 * 2**20, "16 MiB"),
        (50_000_000, "50 MB"),
        (3 * 2**40, "3 TiB"),
        (1025, "1025 B"),
    ],
)
def test_a_size_is_written_in_its_shortest_unit(value, text):
    assert format_size(value) == Bytes(value).human() == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1048576", 'add its unit: write "1 MiB" if bytes are meant'),
        ("256M", '"256 M" is ambiguous: write "256 MiB" or "256 MB"'),
        ("4 k", '"4 k" is ambiguous: write "4 KiB" or "4 kB"'),
        ("5 parsecs", "the unit 'parsecs' is unknown: write B, KiB, MiB, GiB, TiB, kB, MB, GB or TB"),
        ("0.3 B", "the smallest step is one byte, 1 B"),
        ("", 'write a size such as "256 MiB" or "50 MB"'),
        ("-1 MB", 'write a size such as "256 MiB" or "50 MB"'),
        ("1 GB 5 MB", 'write a size such as "256 MiB" or "50 MB"'),
    ],
)
def test_a_wrong_size_says_what_to_write(text, reason):
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        parse_size(text)


def test_a_negative_size_cannot_be_written():
    with pytest.raises(ValueError, match="not negative"):
        format_size(-1)


def test_a_fraction_of_a_unit_is_allowed_where_it_is_a_whole_number_of_bytes():
    assert parse_size("1.5 KiB") == 1536


def test_bytes_stay_a_plain_number_in_text():
    assert f"{Bytes(5)}" == str(Bytes(5)) == "5"
