"""A task that kills its process, or that takes too long, fails like any other: with everything that hangs on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import chord, group
from celery.exceptions import TimeLimitExceeded

from umbel.errors import PoisonError
from umbel.outcomes import Reason


@pytest.mark.parametrize("pool", ["prefork", "umbel"])
def test_a_task_that_kills_its_process_is_poison_after_the_crash_limit(
    shop: Any, settled: Callable[..., None], pool: str
) -> None:
    result = shop.module.dies.apply_async(link_error=shop.module.note_id.s())
    shop.start(pool)
    settled(shop, within=60)
    assert shop.effects().count("dies") == 3
    (letter,) = shop.dead(task_id=result.id)
    assert (letter.reason, letter.error["error_code"]) == (Reason.POISON, "TASK_POISON")
    assert isinstance(result.result, PoisonError)
    assert len([line for line in shop.effects() if line.startswith("note_id")]) == 1


def test_neighbours_of_a_task_that_kills_its_child_succeed(shop: Any, settled: Callable[..., None]) -> None:
    doomed = shop.module.dies.delay()
    results = [shop.module.add.delay(number, 1) for number in range(20)]
    shop.start("prefork")
    settled(shop, within=60)
    assert [result.get(timeout=5) for result in results] == list(range(1, 21))
    assert [letter.envelope.task_id for letter in shop.dead()] == [doomed.id]


def test_a_chord_with_a_poisonous_member_fails_instead_of_hanging(shop: Any, settled: Callable[..., None]) -> None:
    header = group(shop.module.add.s(1, 1), shop.module.dies.s())
    body = chord(header)(shop.module.sum_up.s().on_error(shop.module.note_id.s()))
    shop.start("prefork")
    settled(shop, within=60)
    assert "raised PoisonError" in str(shop.app.AsyncResult(body.id).result)
    assert not [line for line in shop.effects() if line.startswith("sum")]


def test_a_chord_with_a_member_that_takes_too_long_fails_instead_of_hanging(
    shop: Any, settled: Callable[..., None]
) -> None:
    body = chord(group(shop.module.add.s(1, 1), shop.module.too_long.s()))(shop.module.sum_up.s())
    shop.start("prefork")
    settled(shop, within=60)
    assert "raised TimeLimitExceeded" in str(shop.app.AsyncResult(body.id).result)


@pytest.mark.parametrize("pool", ["prefork", "umbel"])
def test_a_hard_time_limit_is_a_dead_letter_and_is_recorded_once(
    shop: Any, settled: Callable[..., None], pool: str
) -> None:
    result = shop.module.too_long.apply_async(link_error=shop.module.note_id.s())
    shop.start(pool)
    settled(shop, within=60)
    (letter,) = shop.dead(task_id=result.id)
    assert (letter.reason, letter.error["error_code"]) == (Reason.TIME_LIMIT, "TimeLimitExceeded")
    assert isinstance(result.result, TimeLimitExceeded)
    assert len([line for line in shop.effects() if line.startswith("note_id")]) == 1


def test_a_soft_time_limit_that_nobody_catches_is_a_dead_letter(shop: Any, settled: Callable[..., None]) -> None:
    result = shop.module.too_long_softly.delay()
    shop.start("prefork")
    settled(shop, within=60)
    (letter,) = shop.dead(task_id=result.id)
    assert letter.reason is Reason.TIME_LIMIT


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_a_claim_with_a_verdict_never_runs(shop: Any, settled: Callable[..., None], pool: str) -> None:
    header = group(shop.module.add.s(1, 1), shop.module.note_id.s())
    body = chord(header)(shop.module.sum_up.s())
    _condemn(shop, "shop.note_id")
    shop.start(pool)
    settled(shop, within=60)
    assert "add 1 1" in shop.effects()
    assert not [line for line in shop.effects() if line.startswith(("note_id", "sum"))]
    (letter,) = shop.dead(task="shop.note_id")
    assert letter.reason is Reason.POISON
    assert body.state == "FAILURE"


def _condemn(shop: Any, task: str) -> None:
    """Let a consumer that dies three times alone own the message of this task."""
    for _ in range(10):
        consumer = shop.store.register("doomed", lease=60)
        claims = shop.store.claim("celery", consumer, 10).claims
        (claim,) = [claim for claim in claims if claim.envelope.task == task]
        if claim.verdict is not None:
            shop.store.retire(consumer)
            return
        if claim.suspect:
            shop.store.release([other.receipt for other in claims if other is not claim])
            assert shop.store.isolate(claim.receipt)
        shop.store.reap(consumer, started=[claim.receipt], crash_limit=2)
    pytest.fail("expected a verdict after two deaths alone")
