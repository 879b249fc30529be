"""A shard's tokens for one task."""

import time
from itertools import pairwise

import pytest

from umbel.worker.rates import RateBucket


def test_the_first_request_runs_and_the_next_waits_for_its_token():
    bucket = RateBucket(20)
    assert bucket.take()
    assert not bucket.take()
    assert bucket.queue("second", bounded=True)
    assert bucket.released() == []
    time.sleep(0.06)  # one token's worth
    assert bucket.released() == ["second"]


def test_nobody_overtakes_who_waits_here():
    bucket = RateBucket(50)
    bucket.take()
    bucket.queue("first", bounded=True)
    time.sleep(0.03)
    assert not bucket.take()
    assert bucket.released() == ["first"]


@pytest.mark.parametrize(("rate", "room"), [(0.01, 1), (1, 1), (7.5, 8), (10_000, 100)])
def test_about_a_second_of_work_waits_here_and_the_rest_elsewhere(rate, room):
    bucket = RateBucket(rate)
    assert sum(bucket.queue(number, bounded=True) for number in range(200)) == room
    assert bucket.queue("of a foreign broker", bounded=False)


@pytest.mark.parametrize("shards", [1, 2])
def test_requests_without_room_come_back_one_after_the_other_at_the_workers_rate(shards):
    bucket = RateBucket(10, shards=shards)
    for number in range(10):
        bucket.queue(number, bounded=True)
    turns = [bucket.book() for _ in range(20)]
    assert turns[0] == pytest.approx(0.5, abs=0.05)
    assert [later - earlier for earlier, later in pairwise(turns)] == pytest.approx([0.1] * 19, abs=0.05)


def test_each_shard_has_its_part_of_the_tokens():
    bucket = RateBucket(20, shards=4)
    bucket.take()
    bucket.queue("next", bounded=True)
    assert bucket.watch() == pytest.approx(0.2, abs=0.02)


def test_nobody_is_sent_away_for_longer_than_a_minute():
    bucket = RateBucket(0.001)
    assert max(bucket.book() for _ in range(10)) == 60


def test_one_watch_is_set_however_many_wait():
    bucket = RateBucket(2)
    assert bucket.watch() is None
    bucket.take()
    bucket.queue("a", bounded=True)
    bucket.queue("b", bounded=True)
    assert bucket.watch() == pytest.approx(0.5, abs=0.05)
    assert bucket.watch() is None
    bucket.released()
    assert bucket.watch() is not None
