from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Ignore, MaxRetriesExceededError

from umbel import PermanentError, Retry, Task, TemporaryError, Umbel
from umbel.execution.body import wrap_body

SOON = Retry(attempts=3, backoff=timedelta(0))


class Counter:
    def __init__(self) -> None:
        self.runs = 0


@pytest.fixture
def runs() -> Counter:
    return Counter()


@pytest.fixture
def app() -> Iterator[Umbel]:
    app = Umbel("bodies", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.task_always_eager = True
    yield app
    app.close()


def test_a_temporary_error_is_tried_as_often_as_the_rule_says(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, retry=SOON)
    def body() -> None:
        runs.runs += 1
        raise TemporaryError("no", attempt=runs.runs)

    result = body.delay()
    assert (result.state, runs.runs) == ("FAILURE", 3)
    assert result.result.details == {"attempt": 3}


def test_a_retry_that_succeeds_is_a_success(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, retry=SOON)
    def body() -> str:
        runs.runs += 1
        if runs.runs < 3:
            raise TemporaryError("not yet")
        return "done"

    assert body.delay().get() == "done"


def test_without_a_rule_of_its_own_a_task_has_that_of_the_settings(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False)
    def body() -> None:
        runs.runs += 1
        raise TemporaryError("no")

    body.delay()
    assert runs.runs == app.settings.tasks.retry.attempts


def test_other_errors_are_not_retried(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, retry=SOON)
    def body() -> None:
        runs.runs += 1
        raise ValueError("no")

    assert body.delay().state == "FAILURE"
    assert runs.runs == 1


def test_a_permanent_error_is_final_even_with_autoretry(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, autoretry_for=(Exception,), default_retry_delay=0, max_retries=5)
    def body() -> None:
        runs.runs += 1
        raise PermanentError("never")

    result = body.delay()
    assert isinstance(result.result, PermanentError)
    assert runs.runs == 1


def test_autoretry_counts_its_own_attempts_of_a_temporary_error(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, autoretry_for=(TemporaryError,), default_retry_delay=0, max_retries=1)
    def body() -> None:
        runs.runs += 1
        raise TemporaryError("no")

    assert isinstance(body.delay().result, TemporaryError)
    assert runs.runs == 2


def test_whoever_excludes_an_error_from_autoretry_means_it(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, autoretry_for=(Exception,), dont_autoretry_for=(TemporaryError,), default_retry_delay=0)
    def body() -> None:
        runs.runs += 1
        raise TemporaryError("no")

    body.delay()
    assert runs.runs == 1


def test_task_retry_keeps_working_and_gives_up_for_good(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, bind=True, max_retries=2, retry=SOON)
    def body(self: Any) -> None:
        runs.runs += 1
        raise self.retry(exc=TemporaryError("by hand"), countdown=0)

    assert isinstance(body.delay().result, TemporaryError)
    assert runs.runs == 3


def test_task_retry_without_an_error_tells_that_it_gave_up(app: Umbel) -> None:
    @app.task(shared=False, bind=True, max_retries=0)
    def body(self: Any) -> None:
        raise self.retry(countdown=0)

    assert isinstance(body.delay().result, MaxRetriesExceededError)


def test_ignore_stays_celerys(app: Umbel) -> None:
    @app.task(shared=False, retry=Retry(on=(Exception,), attempts=3))
    def body() -> None:
        raise Ignore

    assert body.delay().state == "IGNORED"


def test_a_direct_call_raises_the_error_itself(app: Umbel, runs: Counter) -> None:
    @app.task(shared=False, retry=SOON)
    def body(number: int) -> int:
        runs.runs += 1
        if number < 0:
            raise TemporaryError("no")
        return number

    assert body(3) == 3
    assert body.run(4) == 4
    with pytest.raises(TemporaryError):
        body(-1)
    assert runs.runs == 3


def test_a_task_called_inside_another_one_raises_into_it(app: Umbel) -> None:
    @app.task(shared=False, retry=SOON)
    def inner() -> None:
        raise TemporaryError("no")

    @app.task(shared=False)
    def outer() -> str:
        try:
            inner()
        except TemporaryError:
            return "caught"
        return "missed"

    assert outer.delay().get() == "caught"


def test_a_base_class_with_its_own_call_is_called(app: Umbel, runs: Counter) -> None:
    class Counting(Task):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            runs.runs += 1
            return super().__call__(*args, **kwargs)

    @app.task(shared=False, base=Counting, retry=SOON)
    def body() -> str:
        return "done"

    assert body.delay().get() == "done"
    assert runs.runs == 1


def test_a_class_may_declare_its_rule(app: Umbel, runs: Counter) -> None:
    class Flaky(Task):
        name = "flaky"
        retry = SOON

        def run(self) -> None:
            runs.runs += 1
            raise TemporaryError("no")

    app.register_task(Flaky())
    app.tasks["flaky"].delay()
    assert runs.runs == 3


def test_wrapping_twice_wraps_once(app: Umbel) -> None:
    @app.task(shared=False)
    def body() -> None: ...

    task = app.tasks[body.name]
    before = task.run
    wrap_body(task, SOON)
    assert task.run is before
