"""Option values: what is read, and what an error says."""

from datetime import timedelta

import click
import pytest

from umbel.cli.parameters import COUNT, DURATION, RATE, SIZE


@pytest.mark.parametrize(
    ("text", "per_second"), [("50/s", 50), ("50", 50), ("120/m", 2), ("1.5 / s", 1.5), ("36/h", 0.01)]
)
def test_a_rate_is_read_as_a_number_per_second(text, per_second):
    assert RATE.convert(text, None, None) == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["", "fast", "0/s", "-1/s", "5/d", "5/", "1e9/s"])
def test_a_wrong_rate_names_what_was_found_and_what_to_write(text):
    with pytest.raises(click.BadParameter) as caught:
        RATE.convert(text, None, None)
    assert repr(text) in caught.value.message
    assert '"50/s"' in caught.value.message


def test_durations_and_sizes_are_read_as_the_configuration_reads_them():
    assert DURATION.convert("1h 30m", None, None) == timedelta(minutes=90)
    assert SIZE.convert("256 MiB", None, None) == 268_435_456


def test_a_duration_without_a_unit_is_refused_with_the_remedy():
    with pytest.raises(click.BadParameter, match=r"'30': add its unit: write \"30s\""):
        DURATION.convert("30", None, None)


def test_a_size_without_a_unit_is_refused_with_the_remedy():
    with pytest.raises(click.BadParameter, match=r"'1024': add its unit: write \"1 KiB\""):
        SIZE.convert("1024", None, None)


@pytest.mark.parametrize("text", ["0", "-3", "many", "1.5"])
def test_a_count_below_one_or_no_number_is_refused(text):
    with pytest.raises(click.BadParameter, match="write a whole number from 1"):
        COUNT.convert(text, None, None)
