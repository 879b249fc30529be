"""A task that is repeated after it has published what follows it publishes nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import chain, group


def test_a_repeat_of_a_task_runs_its_callbacks_once(shop: Any, settled: Callable[..., None]) -> None:
    note_id = shop.module.note_id
    callbacks = [note_id.s(), note_id.s(), group(note_id.s(), note_id.s())]
    shop.module.parent.apply_async(link=callbacks)
    _run_twice(shop, settled)
    assert shop.effects().count("parent") == 2
    called = [line for line in shop.effects() if line.startswith("note_id")]
    assert len(set(called)) == len(called) == 4


def test_a_repeat_of_a_failure_calls_its_errback_once(shop: Any, settled: Callable[..., None]) -> None:
    shop.module.permanent.apply_async(link_error=[shop.module.note_id.s(), shop.module.note_id.s()])
    _run_twice(shop, settled)
    assert shop.effects().count("permanent") == 2
    called = [line for line in shop.effects() if line.startswith("note_id")]
    assert len(set(called)) == len(called) == 2


def test_a_repeat_of_a_step_runs_the_next_one_once(shop: Any, settled: Callable[..., None]) -> None:
    chain(shop.module.parent.s(), shop.module.note_id.s()).apply_async()
    _run_twice(shop, settled)
    assert len([line for line in shop.effects() if line.startswith("note_id")]) == 1


def test_a_repeat_of_an_attempt_publishes_its_retry_once(shop: Any, settled: Callable[..., None]) -> None:
    shop.module.flaky.delay()
    _run_twice(shop, settled)
    assert shop.effects().count("flaky") == 4


def _run_twice(shop: Any, settled: Callable[..., None]) -> None:
    """Run what waits, and then the first message once more, as if its worker had died before its ack."""
    consumer = shop.store.register("dies", lease=60)
    (claim,) = shop.store.claim("celery", consumer, 1).claims
    shop.store.retire(consumer)
    shop.start("solo")
    settled(shop)
    shop.store.publish("celery", [claim.envelope])
    settled(shop)
