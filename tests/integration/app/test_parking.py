"""A task that no worker knows waits, and runs when a worker comes that knows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_an_unknown_task_is_parked_and_runs_later(
    shop: Any, eventually: Callable[..., None], settled: Callable[..., None], monkeypatch: pytest.MonkeyPatch, pool: str
) -> None:
    unknown = shop.app.send_task("bakery.bakes", args=(7,))
    known = shop.module.add.delay(1, 2)
    first = shop.start(pool)
    settled(shop)
    assert known.get(timeout=5) == 3
    assert shop.store.find(unknown.id).state == "parked"
    assert shop.app.AsyncResult(unknown.id).state == "PENDING"
    assert first.poll() is None
    assert not shop.dead()
    shop.start(pool, app="bakery:app")
    eventually(lambda: shop.app.AsyncResult(unknown.id).state == "SUCCESS", within=30, claim="the parked task runs")
    assert unknown.get(timeout=5) == 7
