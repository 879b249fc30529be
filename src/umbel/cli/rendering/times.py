"""Times and sizes as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["ago", "size", "span", "until"]

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_KIB = 1024


def span(seconds: float) -> str:
    """Return a length of time in its largest unit: ``340 ms``, ``4 s``, ``3 min``, ``2 d``.

    >>> span(200)
    '3 min'
    """
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    raise AssertionError(seconds)


def ago(moment: datetime | None, *, now: datetime | None = None) -> str:
    """Return how long ago a moment was; a dash for None.

    >>> from datetime import timedelta
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> ago(noon - timedelta(hours=2), now=noon)
    '2 h ago'
    """
    if moment is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    return "now" if seconds < 1 else f"{span(seconds)} ago"


def until(moment: datetime | None, *, now: datetime | None = None) -> str:
    """Return how long it is to a moment (``in 3 min``), or how long ago it was; a dash for None."""
    if moment is None:
        return "-"
    seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    return f"in {span(seconds)}" if seconds > 0 else ago(moment, now=now)


def size(count: int) -> str:
    """Return bytes in the largest unit that is not below 1: ``18 B``, ``1.5 KiB``."""
    value, units = float(count), iter(("B", "KiB", "MiB"))
    for unit in units:
        if value < _KIB:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KIB
    return f"{value:.1f} GiB"
