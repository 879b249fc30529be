from __future__ import annotations

import pytest
from celery import Celery

from umbel.errors import ConfigurationError
from umbel.tasks import Declared, Retry, Task, declared_of, pack, repair


def test_declared_options_are_packed_and_the_rest_is_left() -> None:
    rule = Retry(attempts=2)
    assert pack({"retry": rule, "dead_letter": False, "bind": True}) == {
        "bind": True,
        "declared": Declared(retry=rule, dead_letter=False),
    }


def test_packing_twice_changes_nothing() -> None:
    once = pack({"retry": Retry(attempts=2), "queue": "bulk"})
    assert pack(once) == once


def test_without_declared_options_nothing_is_added() -> None:
    assert pack({"queue": "bulk"}) == {"queue": "bulk"}


@pytest.mark.parametrize(("key", "value"), [("retry", True), ("retry", 3), ("dead_letter", "no")])
def test_a_declared_option_of_a_wrong_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"task option {key}: expected"):
        pack({key: value})


def test_a_class_may_declare_with_attributes() -> None:
    class Quiet(Task):
        name = "quiet"
        dead_letter = False

    assert declared_of(Quiet()).dead_letter is False
    assert declared_of(Task()) == Declared()


def test_a_rule_in_the_place_of_the_method_is_moved() -> None:
    rule = Retry(attempts=2)
    app = Celery("plain", set_as_current=False)

    @app.task(name="clobbered", retry=rule)
    def clobbered() -> None: ...

    task = app.tasks["clobbered"]
    assert task.retry is rule
    repair(task)
    assert callable(task.retry)
    assert declared_of(task).retry is rule
