from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.config import format_duration, parse_duration

DURATIONS = st.timedeltas(min_value=timedelta(0), max_value=timedelta.max)


@given(DURATIONS)
def test_what_is_written_is_read_back_exactly(value):
    assert parse_duration(format_duration(value)) == value


@given(st.integers(0, 10**6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("weeks", 604800)]))
def test_spaces_and_capitals_do_not_matter(number, unit):
    name, seconds = unit
    expected = timedelta(seconds=number * seconds)
    assert parse_duration(f"  {number} {name.upper()} ") == parse_duration(f"{number}{name}") == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("5m", 300),
        ("1h 30m", 5400),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1.5h", 5400),
        ("0s", 0),
        ("250 ms", 0.25),
        ("2 minutes 1 second", 121),
        ("10us", 0.000_01),
    ],
)
def test_people_write_durations_in_many_ways(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("300", 'add its unit: write "5m" if seconds are meant'),
        ("1.5", 'add its unit: write "1s 500ms" if seconds are meant'),
        ("", 'write a duration such as "15s", "5m" or "1h 30m"'),
        ("soon", 'write a duration such as "15s", "5m" or "1h 30m"'),
        ("-5s", 'write a duration such as "15s", "5m" or "1h 30m"'),
        ("5s!", 'write a duration such as "15s", "5m" or "1h 30m"'),
        ("5 fortnights", "the unit 'fortnights' is unknown: write w, d, h, m, s, ms or us"),
        ("30m 1h", 'write the units once each, from the largest to the smallest, as in "1h 30m"'),
        ("1h 2h", 'write the units once each, from the largest to the smallest, as in "1h 30m"'),
        ("0.1us", "the smallest step is one microsecond, 1us"),
        ("99999999999d", "the longest duration is 999999999d"),
    ],
)
def test_a_wrong_duration_says_what_to_write(text, reason):
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        parse_duration(text)


def test_a_huge_number_without_a_unit_is_still_explained():
    with pytest.raises(ValueError, match="add its unit"):
        parse_duration("9" * 400)


def test_a_negative_duration_cannot_be_written():
    with pytest.raises(ValueError, match="not negative"):
        format_duration(timedelta(seconds=-1))
