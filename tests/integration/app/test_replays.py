"""A replay runs a dead letter again, with everything that hangs on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import chain, chord, group


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_a_replayed_chord_member_completes_the_chord(shop: Any, settled: Callable[..., None], pool: str) -> None:
    there = shop.folder / "there"
    header = group(shop.module.add.s(1, 1), shop.module.unless.s(str(there), 5))
    body = chord(header)(shop.module.sum_up.s())
    shop.start(pool)
    settled(shop)
    assert body.state == "FAILURE"
    (letter,) = shop.dead()
    there.touch()
    shop.store.replay([letter.id])
    settled(shop)
    assert [line for line in shop.effects() if line.startswith("sum")] == ["sum [2, 5]"]
    assert shop.app.AsyncResult(body.id).get(timeout=5) == 7
    assert not shop.dead()


def test_a_replayed_step_goes_on_with_its_chain(shop: Any, settled: Callable[..., None]) -> None:
    there = shop.folder / "there"
    result = chain(shop.module.add.s(1, 1), shop.module.unless.si(str(there), 5), shop.module.add.s(10)).apply_async()
    shop.start("solo")
    settled(shop)
    (letter,) = shop.dead()
    there.touch()
    shop.store.replay([letter.id])
    settled(shop)
    assert result.get(timeout=5) == 15


def test_each_failed_replay_calls_the_errback_again(shop: Any, settled: Callable[..., None]) -> None:
    shop.module.permanent.apply_async(link_error=shop.module.note_id.s())
    shop.start("solo")
    settled(shop)
    for _ in range(2):
        (letter,) = shop.dead()
        shop.store.replay([letter.id])
        settled(shop)
    (letter,) = shop.dead()
    assert letter.envelope.replay == 2
    called = [line for line in shop.effects() if line.startswith("note_id")]
    assert len(set(called)) == len(called) == 3


def test_a_replay_has_all_its_retries_again(shop: Any, settled: Callable[..., None]) -> None:
    shop.module.flaky.delay()
    shop.start("solo")
    settled(shop)
    (letter,) = shop.dead()
    shop.store.replay([letter.id])
    settled(shop)
    assert shop.effects().count("flaky") == 6
    assert len(shop.dead()) == 1
