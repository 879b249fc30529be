from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.errors import ConfigurationError, PermanentError, TemporaryError
from umbel.tasks import Retry


def test_a_wait_doubles_until_the_longest() -> None:
    rule = Retry(backoff=timedelta(seconds=1), max_delay=timedelta(seconds=10), jitter=0)
    assert [rule.delay(retries) for retries in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_wait_without_a_longest_does_not_overflow() -> None:
    assert Retry(backoff=timedelta(seconds=1), jitter=0).delay(10_000) > 0


@given(retries=st.integers(0, 100), jitter=st.floats(0, 1))
def test_jitter_only_ever_takes_its_share(retries: int, jitter: float) -> None:
    still = Retry(backoff=timedelta(seconds=1), max_delay=timedelta(minutes=1), jitter=0).delay(retries)
    moved = Retry(backoff=timedelta(seconds=1), max_delay=timedelta(minutes=1), jitter=jitter).delay(retries)
    assert still * (1 - jitter) <= moved <= still


def test_jitter_spreads_the_waits() -> None:
    rule = Retry(backoff=timedelta(seconds=8), max_delay=timedelta(minutes=1), jitter=True)
    waits = {rule.delay(0) for _ in range(50)}
    assert len(waits) > 40
    assert min(waits) >= 4
    assert max(waits) <= 8


@pytest.mark.parametrize(
    ("attempts", "retries", "exhausted"), [(1, 0, True), (3, 1, False), (3, 2, True), (None, 99, False)]
)
def test_attempts_count_the_first_run(attempts: int | None, retries: int, *, exhausted: bool) -> None:
    assert Retry(attempts=attempts).exhausted(retries) is exhausted


def test_a_permanent_error_is_never_covered() -> None:
    rule = Retry(on=(Exception,))
    assert rule.covers(ValueError())
    assert rule.covers(TemporaryError())
    assert not rule.covers(PermanentError())


def test_what_is_not_said_comes_from_the_defaults() -> None:
    defaults = Retry(attempts=5, backoff=timedelta(seconds=2), max_delay=timedelta(minutes=1), jitter=False)
    filled = Retry(on=(OSError,), attempts=2, jitter=0.0).filled(defaults)
    assert filled == Retry(
        on=(OSError,), attempts=2, backoff=timedelta(seconds=2), max_delay=timedelta(minutes=1), jitter=0.0
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("on", TemporaryError),
        ("on", ("ValueError",)),
        ("attempts", 0),
        ("attempts", True),
        ("attempts", 2.5),
        ("backoff", timedelta(seconds=-1)),
        ("backoff", 3),
        ("max_delay", "5m"),
        ("jitter", 1.5),
        ("jitter", "full"),
    ],
)
def test_a_wrong_value_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"Retry\({key}=\): expected .*, found") as caught:
        Retry(**{key: value})  # type: ignore[arg-type]
    assert caught.value.details == {"key": key}
