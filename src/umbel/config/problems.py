"""What is wrong with a configuration, as data, and the one error that says all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Never

from umbel.config.layers import BUILT_IN, Kind, Origin
from umbel.config.urls import hide
from umbel.errors import ConfigurationError

__all__ = ["Problem", "fail", "found"]

_LONGEST = 80
_NAMES = {bool: "boolean", int: "integer", float: "number", str: "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, which key, what was expected, what was found, and the remedy."""

    key: str
    expected: str
    found: str
    remedy: str
    origin: Origin = BUILT_IN
    kind: type[ConfigurationError] = ConfigurationError

    @property
    def sentence(self) -> str:
        """The problem without its remedy, on one line."""
        where = "" if self.origin.kind is Kind.DEFAULT else f"{self.origin}: "
        return f"{where}{self.key}: expected {self.expected}, found {self.found}"

    def as_dict(self) -> dict[str, Any]:
        """Return the problem JSON-ready."""
        return {
            "error_code": self.kind.error_code,
            "message": self.sentence,
            "key": self.key,
            "origin": str(self.origin),
            "expected": self.expected,
            "found": self.found,
            "remedy": self.remedy,
        }


def fail(problems: Sequence[Problem]) -> Never:
    """Raise the error for these problems: of their kind, if they are all of one kind.

    Raises:
        ConfigurationError: always; ``details["problems"]`` has one entry for each problem.
    """
    kinds = {problem.kind for problem in problems}
    kind = kinds.pop() if len(kinds) == 1 else ConfigurationError
    details: dict[str, Any] = {"problems": [problem.as_dict() for problem in problems]}
    if len(problems) == 1:
        raise kind(problems[0].sentence, hint=problems[0].remedy, **details)
    lines = [f"{number}. {item.sentence} - {item.remedy}" for number, item in enumerate(problems, 1)]
    raise kind("\n".join([f"{len(problems)} problems:", *lines]), hint="umbel config check lists them", **details)


def found(value: Any) -> str:  # noqa: ANN401 - whatever a source holds
    """Describe a value that was not expected, with its type, shortened, without the passwords of URLs."""
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return f"the {_NAMES.get(type(value), type(value).__name__)} {_written(value)}"


def _written(value: object) -> str:
    return repr(_short(hide(value))) if isinstance(value, str) else _short(str(value)).lower()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
