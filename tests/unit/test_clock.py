from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

from umbel.clock import ManualClock, SystemClock, Timestamp, to_datetime, to_timestamp


def test_the_system_clock_is_the_machines() -> None:
    before, now, after = time.time(), SystemClock().now(), time.time()
    assert before <= now <= after
    assert SystemClock().monotonic() <= time.monotonic()


def test_a_manual_clock_moves_only_when_it_is_moved() -> None:
    clock = ManualClock(start=100.0)
    assert (clock.now(), clock.now()) == (100.0, 100.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 102.5)


def test_sleeping_on_a_manual_clock_takes_no_time() -> None:
    clock, started = ManualClock(start=0.0), time.monotonic()
    clock.sleep(3600)
    assert clock.now() == 3600
    assert time.monotonic() - started < 1


def test_a_timestamp_becomes_an_aware_utc_datetime() -> None:
    assert to_datetime(Timestamp(0.5)) == datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_datetime_of_any_zone_becomes_the_same_moment() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert to_timestamp(datetime(1970, 1, 1, 5, 30, 1, tzinfo=east)) == 1


def test_a_naive_datetime_is_taken_as_utc() -> None:
    assert to_timestamp(datetime(1970, 1, 2)) == 86_400  # noqa: DTZ001 - the claim is about naive ones
