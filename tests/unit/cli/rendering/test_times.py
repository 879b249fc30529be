"""Times and sizes as people say them."""

from datetime import UTC, datetime, timedelta

import pytest

from umbel.cli.rendering.times import ago, size, span, until

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 ms"), (0.34, "340 ms"), (1, "1 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")],
)
def test_a_length_of_time_is_said_in_its_largest_unit(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "-"),
        (NOON, "now"),
        (NOON + timedelta(seconds=5), "now"),
        (NOON - timedelta(minutes=3), "3 min ago"),
    ],
)
def test_a_past_moment_is_said_as_ago_and_a_clock_that_runs_ahead_as_now(moment, text):
    assert ago(moment, now=NOON) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [(None, "-"), (NOON + timedelta(seconds=12), "in 12 s"), (NOON - timedelta(hours=2), "2 h ago")],
)
def test_a_deadline_is_said_as_in_and_after_it_as_ago(moment, text):
    assert until(moment, now=NOON) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (50 * 2**20, "50.0 MiB"), (2**31, "2.0 GiB")]
)
def test_a_size_is_said_in_its_largest_unit(count, text):
    assert size(count) == text
