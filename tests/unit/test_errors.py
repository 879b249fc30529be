from __future__ import annotations

import json
import pickle
import re

import pytest

from umbel import errors
from umbel.errors import StorageLockedError, TemporaryError, UmbelError, describe


def every_error() -> list[type[UmbelError]]:
    found, waiting = [], [UmbelError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return found


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
class TestEveryError:
    def test_has_a_docstring_and_is_public(self, kind: type[UmbelError]) -> None:
        assert kind.__doc__
        assert kind.__name__ in errors.__all__

    def test_survives_pickling_with_all_its_fields(self, kind: type[UmbelError]) -> None:
        error = kind("queue 'a': expected 1, found 2", hint="set it", error_code="CARD_DOWN", queue="a", found=2)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind
        assert again.contract() == error.contract()
        assert str(again) == str(error)

    def test_contract_is_json_with_exactly_the_five_fields(self, kind: type[UmbelError]) -> None:
        contract = json.loads(json.dumps(kind("m", seconds=1.5).contract()))
        assert set(contract) == {"error_code", "message", "retryable", "details", "hint"}
        assert contract["error_code"] == kind.error_code
        assert contract["details"] == {"seconds": 1.5}

    def test_the_tree_in_the_docstring_draws_it_with_its_code_and_flag(self, kind: type[UmbelError]) -> None:
        drawn = rf"^[ │├└─]*{kind.__name__} +(?P<code>[A-Z_]+)(?P<flag> +\(retryable\))?$"
        line = re.search(drawn, str(errors.__doc__), re.MULTILINE)
        assert line, f"{kind.__name__} is not drawn"
        assert line["code"] == kind.error_code
        assert bool(line["flag"]) is kind.retryable


def test_error_codes_are_distinct() -> None:
    codes = [kind.error_code for kind in every_error()]
    assert len(codes) == len(set(codes))


def test_an_error_can_be_made_without_any_argument_as_celery_and_pickle_may_do() -> None:
    assert UmbelError().contract()["message"] == ""


def test_the_text_ends_with_the_hint() -> None:
    assert str(StorageLockedError("app.db is locked", hint="wait")) == "app.db is locked (wait)"


def test_a_hint_that_is_not_given_is_the_class_remedy_and_an_empty_one_stays_empty() -> None:
    assert StorageLockedError("m").hint == StorageLockedError.default_hint
    assert str(StorageLockedError("m", hint="")) == "m"


def test_describe_returns_the_contract_of_our_errors() -> None:
    error = TemporaryError("gateway timed out", error_code="CARD_GATEWAY_DOWN")
    assert describe(error) == error.contract()
    assert describe(error)["retryable"] is True


def test_describe_names_a_foreign_exception_by_its_class() -> None:
    assert describe(ZeroDivisionError("division by zero")) == {
        "error_code": "ZeroDivisionError",
        "message": "division by zero",
        "retryable": False,
        "details": {},
        "hint": "",
    }
