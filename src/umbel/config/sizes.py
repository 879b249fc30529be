"""Amounts of memory and of data as people write them: ``"256 MiB"``, ``"50 MB"``.

``KiB``, ``MiB`` are powers of 1024 and ``kB``, ``MB`` powers of 1000; ``"256 M"`` could be either and is
refused. What :func:`format_size` writes, :func:`parse_size` reads back exactly.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["SIZE_EXAMPLE", "SIZE_PATTERN", "Bytes", "Size", "format_size", "parse_size"]

SIZE_EXAMPLE = 'a size such as "256 MiB" or "50 MB"'
"""How an error names what was expected."""

_BINARY = {"TiB": 1024**4, "GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
_DECIMAL = {"TB": 1000**4, "GB": 1000**3, "MB": 1000**2, "kB": 1000}
_FACTORS = {**_BINARY, **_DECIMAL, "B": 1}
_UNITS = {unit.lower(): unit for unit in _FACTORS} | {"byte": "B", "bytes": "B"}
_AMBIGUOUS = {"k": ("KiB", "kB"), "m": ("MiB", "MB"), "g": ("GiB", "GB"), "t": ("TiB", "TB")}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_TEXT = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)")

SIZE_PATTERN = rf"^\s*{_NUMBER}\s*([KMGTkmgt][Ii]?)?[Bb](ytes?)?\s*$"
"""What an editor can check."""


class Bytes(int):
    """A number of bytes. It is an ``int`` in every respect; :meth:`human` writes it for people."""

    __slots__ = ()

    def human(self) -> str:
        """Return the size with its unit, exactly.

        >>> Bytes(268_435_456).human()
        '256 MiB'
        """
        return format_size(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's signature
        """Let bounds (``gt=``) apply to what the text was read as."""
        return core_schema.no_info_after_validator_function(cls, core_schema.int_schema(strict=False))


def parse_size(text: str) -> Bytes:
    """Read a size: one number and one unit; capitals do not matter.

    >>> parse_size("1.5 KiB")
    1536

    Raises:
        ValueError: the unit is missing, unknown or ambiguous, or the value is no whole number of bytes.
    """
    words = text.strip()
    match = _TEXT.fullmatch(words)
    if match is None:
        raise ValueError(_no_unit(words) if words.isdecimal() else f"write {SIZE_EXAMPLE}")
    number, spelling = match.groups()
    amount = Decimal(number) * _FACTORS[_unit(number, spelling)]
    if amount != amount.to_integral_value():
        raise ValueError("the smallest step is one byte, 1 B")
    return Bytes(amount)


def format_size(value: int) -> str:
    """Write a size exactly, in the unit that gives the shortest number; binary wins a tie.

    >>> format_size(50_000_000)
    '50 MB'

    Raises:
        ValueError: the size is negative.
    """
    if value < 0:
        raise ValueError(f"a size is not negative, got {value!r}")
    fitting = [(value // factor, unit) for unit, factor in _FACTORS.items() if value and value % factor == 0]
    number, unit = min(fitting, key=lambda pair: len(str(pair[0])), default=(0, "B"))
    return f"{number} {unit}"


def _unit(number: str, spelling: str) -> str:
    small = spelling.lower()
    if small in _AMBIGUOUS:
        binary, decimal = _AMBIGUOUS[small]
        raise ValueError(f'"{number} {spelling}" is ambiguous: write "{number} {binary}" or "{number} {decimal}"')
    if small not in _UNITS:
        raise ValueError(f"the unit {spelling!r} is unknown: write B, KiB, MiB, GiB, TiB, kB, MB, GB or TB")
    return _UNITS[small]


def _no_unit(number: str) -> str:
    return f'add its unit: write "{format_size(int(number))}" if bytes are meant'


def _validate(value: Any) -> Bytes:  # noqa: ANN401 - whatever a source holds
    if isinstance(value, Bytes):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        raise _refusal(_no_unit(str(value)))
    if not isinstance(value, str):
        raise _refusal(f"write {SIZE_EXAMPLE}")
    try:
        return parse_size(value)
    except ValueError as problem:
        raise _refusal(str(problem)) from None


def _refusal(remedy: str) -> PydanticCustomError:
    return PydanticCustomError("size", "expected a size: {remedy}", {"remedy": remedy})


Size = Annotated[
    Bytes,
    BeforeValidator(_validate),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN, "examples": ["256 MiB", "50 MB"]}),
]
"""A :class:`Bytes` that is written as text with its unit."""
