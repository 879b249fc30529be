"""Option values as people write them: durations, sizes and rates, read as the configuration reads them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click

__all__ = ["COUNT", "DURATION", "RATE", "SIZE", "Count", "Duration", "Rate", "Size"]

_RATE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:/\s*(s|m|h))?\s*")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Count(click.ParamType[int]):
    """A whole number from 1."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 - click's signature
        """Read the number."""
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r}: write a whole number from 1", param, ctx)
        return number


class Duration(click.ParamType[timedelta]):
    """A length of time with its unit, as ``30s`` or ``1h 30m``; the value is a ``timedelta``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401 - click's signature
        """Read the text; a value that was read already stays."""
        from umbel.config.durations import parse_duration

        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as problem:
            self.fail(f"{value!r}: {problem}", param, ctx)


class Size(click.ParamType[int]):
    """An amount of memory with its unit, as ``256 MiB``; the value is a number of bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 - click's signature
        """Read the text; a value that was read already stays."""
        from umbel.config.sizes import parse_size

        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError as problem:
            self.fail(f"{value!r}: {problem}", param, ctx)


class Rate(click.ParamType[float]):
    """A number in a time, as ``50/s``, ``100/m`` or ``10/h``; the value is a number per second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's signature
        """Read the text; without a unit it is per second."""
        if isinstance(value, float):
            return value
        match = _RATE.fullmatch(value)
        if match is None or float(match[1]) == 0:
            self.fail(f'{value!r}: write a rate such as "50/s", "100/m" or "10/h"', param, ctx)
        return float(match[1]) / _SECONDS[match[2] or "s"]


COUNT = Count()
DURATION = Duration()
RATE = Rate()
SIZE = Size()
