"""Lengths of time as people write them: ``"15s"``, ``"1h 30m"``, ``"2d"``.

Every duration has its unit in the text, so that no reader guesses between seconds and minutes; a
bare number is refused. What :func:`format_duration` writes, :func:`parse_duration` reads back exactly.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = ["DURATION_EXAMPLE", "DURATION_PATTERN", "Duration", "format_duration", "parse_duration"]

DURATION_EXAMPLE = 'a duration such as "15s", "5m" or "1h 30m"'
"""How an error names what was expected."""

_MICROSECONDS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_SPELLINGS = {
    "w": ("w", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hour", "hours"),
    "m": ("m", "min", "minute", "minutes"),
    "s": ("s", "sec", "second", "seconds"),
    "ms": ("ms", "millisecond", "milliseconds"),
    "us": ("us", "microsecond", "microseconds"),
}
_UNITS = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
_ORDER = list(_MICROSECONDS)
_WRITTEN = [unit for unit in _ORDER if unit != "w"]
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PART = re.compile(rf"({_NUMBER})\s*([a-z]+)")

DURATION_PATTERN = rf"^\s*(?:{_NUMBER}\s*[A-Za-z]+\s*)+$"
"""What an editor can check; the units and their order are checked when the text is read."""


def parse_duration(text: str) -> timedelta:
    """Read a duration: numbers with units, from the largest to the smallest.

    Units are ``w d h m s ms us`` and their English names; capitals do not matter.

    >>> parse_duration("1h 30m")
    datetime.timedelta(seconds=5400)

    Raises:
        ValueError: a unit is missing, unknown or out of order, or the value is finer than a
            microsecond or longer than Python's ``timedelta`` can be.
    """
    words = text.strip().lower()
    if not re.match(DURATION_PATTERN, words):
        raise ValueError(_no_unit(words) if re.fullmatch(_NUMBER, words) else f"write {DURATION_EXAMPLE}")
    total, last = Decimal(0), -1
    for number, spelling in _PART.findall(words):
        rank = _rank(spelling)
        if rank <= last:
            raise ValueError('write the units once each, from the largest to the smallest, as in "1h 30m"')
        last = rank
        total += Decimal(number) * _MICROSECONDS[_ORDER[rank]]
    return _exact(total)


def format_duration(value: timedelta) -> str:
    """Write a duration, exact to the microsecond, in the units that a person would use.

    >>> format_duration(timedelta(minutes=90))
    '1h 30m'

    Raises:
        ValueError: the duration is negative.
    """
    rest = value // timedelta(microseconds=1)
    if rest < 0:
        raise ValueError(f"a duration is not negative, got {value!r}")
    parts = []
    for unit in _WRITTEN:
        count, rest = divmod(rest, _MICROSECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def _rank(spelling: str) -> int:
    if spelling not in _UNITS:
        raise ValueError(f"the unit {spelling!r} is unknown: write w, d, h, m, s, ms or us")
    return _ORDER.index(_UNITS[spelling])


def _exact(microseconds: Decimal) -> timedelta:
    if microseconds != microseconds.to_integral_value():
        raise ValueError("the smallest step is one microsecond, 1us")
    try:
        return timedelta(microseconds=int(microseconds))
    except OverflowError:
        raise ValueError("the longest duration is 999999999d") from None


def _no_unit(number: str) -> str:
    try:
        written = format_duration(timedelta(seconds=float(number)))
    except (OverflowError, ValueError):
        return f"add its unit: write {DURATION_EXAMPLE}"
    return f'add its unit: write "{written}" if seconds are meant'


def _validate(value: Any) -> timedelta:  # noqa: ANN401 - whatever a source holds
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise _refusal(_no_unit(str(value)))
    if not isinstance(value, str):
        raise _refusal(f"write {DURATION_EXAMPLE}")
    try:
        return parse_duration(value)
    except ValueError as problem:
        raise _refusal(str(problem)) from None


def _refusal(remedy: str) -> PydanticCustomError:
    return PydanticCustomError("duration", "expected a duration: {remedy}", {"remedy": remedy})


Duration = Annotated[
    timedelta,
    BeforeValidator(_validate),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["15s", "5m", "1h 30m", "2d"]}),
]
"""A ``timedelta`` that is written as text with its units."""
