"""What a task declares beyond Celery's own options.

Celery turns every option of ``@app.task`` into an attribute of the task, so ``retry=Retry(...)`` would
replace the method ``Task.retry``. Declared options are therefore taken out before Celery sees them, and
kept together in :class:`Declared` as the attribute ``declared``: on an app that is not Umbel's that
attribute is inert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from umbel.errors import ConfigurationError
from umbel.tasks.retry import Retry

__all__ = ["Declared", "declared_of", "pack", "repair", "take_routing"]

ATTRIBUTE = "declared"
_ROUTING = ("queue", "exchange", "exchange_type", "routing_key", "delivery_mode", "priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The declared options of one task; None is: as the settings say."""

    retry: Retry | None = None
    dead_letter: bool | None = None


def pack(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the declared ones packed into one; packing twice changes nothing.

    Raises:
        ConfigurationError: a declared option has a wrong type.
    """
    rest = dict(options)
    given = rest.pop(ATTRIBUTE, None) or Declared()
    retry = rest.pop("retry", given.retry)
    dead_letter = rest.pop("dead_letter", given.dead_letter)
    _check_type("retry", retry, Retry, "Retry(attempts=5)")
    _check_type("dead_letter", dead_letter, bool, "False")
    if retry is None and dead_letter is None:
        return rest
    return rest | {ATTRIBUTE: Declared(retry=retry, dead_letter=dead_letter)}


def repair(task: Any) -> None:  # noqa: ANN401 - any Celery task, of any base class
    """Move a rule that stands where Celery has its method ``retry`` to the declared options.

    It stands there when a class says ``retry = Retry(...)``, or when a plain app was given the option
    before Umbel was installed on it.
    """
    for kind in type(task).__mro__:
        rule = vars(kind).get("retry")
        if isinstance(rule, Retry):
            given = vars(kind).get(ATTRIBUTE) or Declared()
            delattr(kind, "retry")
            setattr(kind, ATTRIBUTE, Declared(retry=rule, dead_letter=given.dead_letter))


def take_routing(options: dict[str, Any]) -> dict[str, Any]:
    """Move the routing options out of ``options`` and return them.

    Celery 5.7 still honours them as attributes of a task but warns when they are there while it binds
    the class; set afterwards, they work without the warning.
    """
    return {name: options.pop(name) for name in _ROUTING if name in options}


def declared_of(task: Any) -> Declared:  # noqa: ANN401 - any Celery task, of any base class
    """Return what a task declares, in its decorator or as attributes of its class.

    A class may say ``declared = Declared(...)``, and ``dead_letter = False``.
    """
    declared = getattr(task, ATTRIBUTE, None)
    found = declared if isinstance(declared, Declared) else Declared()
    dead_letter = getattr(task, "dead_letter", None)
    if found.dead_letter is None and isinstance(dead_letter, bool):
        return Declared(retry=found.retry, dead_letter=dead_letter)
    return found


def _check_type(key: str, value: object, expected: type, example: str) -> None:
    if value is not None and not isinstance(value, expected):
        raise ConfigurationError(
            f"task option {key}: expected {expected.__name__}, found {value!r}", hint=f"write {key}={example}", key=key
        )
