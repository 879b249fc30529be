"""Umbel on a plain Celery app: dead letters and retries for its tasks, and its settings as they were."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from umbel.outcomes import Reason


@pytest.fixture
def bakery(shop: Any) -> Iterator[Any]:
    sys.modules.pop("bakery", None)
    import bakery

    yield bakery
    bakery.app.pool.force_close_all()
    sys.modules.pop("bakery", None)


@pytest.mark.parametrize("late", ["0", "1"])
@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_an_existing_app_gets_dead_letters_and_retries(
    shop: Any, bakery: Any, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch, pool: str, late: str
) -> None:
    monkeypatch.setenv("ACKS_LATE", late)
    burnt, risen = bakery.burns.delay(), bakery.rises.apply_async(retry_policy={"max_retries": 1})
    baked, crumbled = bakery.bakes.delay(3), bakery.crumbles.delay()
    shop.start(pool, app="bakery:app")
    assert baked.get(timeout=30) == 3
    eventually(lambda: crumbled.state == "FAILURE" and len(shop.dead()) == 2, within=30, claim="two have died")
    reasons = {letter.envelope.task_id: letter.reason for letter in shop.dead()}
    assert reasons == {burnt.id: Reason.PERMANENT, risen.id: Reason.EXHAUSTED}
    effects = shop.effects()
    assert effects.count("rises") == 2
    assert [effects.count(line) for line in ("own call", "burns", "own hook", "own request")] == [1, 1, 1, 1]


def test_the_settings_of_an_existing_app_stay(bakery: Any) -> None:
    assert bakery.app.conf.task_acks_late is False
    assert bakery.app.conf.result_expires != 3600
    assert "task_acks_late" in {item.key for item in bakery.found.differences}
    assert "task_acks_late: False -> True" in bakery.found.report()
