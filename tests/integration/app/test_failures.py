"""Every way to fail, on every pool of plain Celery, ends in the right dead letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from umbel.outcomes import Reason

FAILURES = {
    "permanent": (Reason.PERMANENT, "TASK_PERMANENT_FAILURE", 1),
    "permanent_with_autoretry": (Reason.PERMANENT, "TASK_PERMANENT_FAILURE", 1),
    "flaky": (Reason.EXHAUSTED, "CARD_GATEWAY_DOWN", 3),
    "broken": (Reason.FAILED, "ValueError", 1),
    "broken_early": (Reason.FAILED, "ValueError", 1),
    "autoretried": (Reason.EXHAUSTED, "OSError", 2),
    "retries_itself": (Reason.EXHAUSTED, "TASK_TEMPORARY_FAILURE", 2),
    "gives_up": (Reason.EXHAUSTED, "MaxRetriesExceededError", 1),
    "rejects": (Reason.REJECTED, "ValueError", 1),
    "unreadable_error": (Reason.PERMANENT, "TASK_PERMANENT_FAILURE", 1),
    "out_of_memory": (Reason.FAILED, "TASK_OUT_OF_MEMORY", 1),
}


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_every_final_failure_is_a_dead_letter_with_its_reason(
    shop: Any, settled: Callable[..., None], pool: str
) -> None:
    ids = {name: getattr(shop.module, name).delay().id for name in FAILURES}
    spared = [shop.module.broken_without_dead_letter.delay().id, shop.module.ignores.delay().id]
    shop.start(pool)
    settled(shop)
    effects = shop.effects()
    for name, (reason, code, runs) in FAILURES.items():
        (letter,) = shop.dead(task_id=ids[name])
        assert (name, letter.reason, letter.error["error_code"]) == (name, reason, code)
        assert (name, effects.count(name)) == (name, runs)
    assert effects.count("broken_without_dead_letter") == effects.count("ignores") == 1
    assert not [letter for task_id in spared for letter in shop.dead(task_id=task_id)]


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_an_umbel_error_comes_back_whole_from_the_result(shop: Any, settled: Callable[..., None], pool: str) -> None:
    result = shop.module.flaky.delay("visa")
    shop.start(pool)
    settled(shop)
    error: Any = result.result
    assert type(error).__name__ == "CardGatewayDownError"
    assert error.contract() == {
        "error_code": "CARD_GATEWAY_DOWN",
        "message": "visa does not answer",
        "retryable": True,
        "details": {"gateway": "visa"},
        "hint": "ask the gateway",
    }
    (letter,) = shop.dead(task_id=result.id)
    assert {key: letter.error[key] for key in error.contract()} == error.contract()
    assert "CardGatewayDownError" in letter.error["traceback"]


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork", "umbel"])
def test_a_temporary_error_is_retried_in_the_broker(shop: Any, settled: Callable[..., None], pool: str) -> None:
    result = shop.module.recovers.delay(str(shop.folder / "there"))
    shop.start(pool)
    settled(shop)
    assert result.get(timeout=10) == "done"
    assert shop.effects() == ["recovers", "recovers"]
    assert not shop.dead()


@pytest.mark.parametrize(("pool", "warned"), [("threads", True), ("prefork", False), ("umbel", False)])
def test_a_worker_says_which_time_limits_its_pool_ignores(
    shop: Any, settled: Callable[..., None], pool: str, *, warned: bool
) -> None:
    done = shop.module.add.delay(1, 2)
    shop.start(pool)
    settled(shop)
    assert done.get(timeout=5) == 3
    assert ("cannot enforce time limits: task_time_limit=300" in shop.log()) is warned
