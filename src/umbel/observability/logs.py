"""Events as log lines: the event's name, then its fields as ``key=value``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from umbel import events

__all__ = ["log_events", "set_up_logging"]

_LOGGER = logging.getLogger("umbel")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_LEVELS: dict[type[events.Event], int] = {
    events.ChordFailed: logging.ERROR,
    events.ClaimFenced: logging.WARNING,
    events.DeadLettered: logging.WARNING,
    events.DutyFailed: logging.WARNING,
    events.MessageParked: logging.WARNING,
    events.MessageUndecodable: logging.WARNING,
    events.SettlementFailed: logging.ERROR,
    events.ShardExited: logging.WARNING,
    events.SubscriberFailed: logging.ERROR,
    events.TaskIsolated: logging.WARNING,
    events.VerdictRecorded: logging.WARNING,
}
_LISTED = 5
_QUIET_EXITS = ("it has run as many tasks as it may", "new code", "control shutdown", "SIGTERM", "SIGINT", "SIGQUIT")


def set_up_logging(level: str) -> None:
    """Write log lines of ``level`` and above to stderr, and all events among them."""
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    log_events()


def log_events() -> Callable[[], None]:
    """Write every later event of this process to the logger ``umbel``; return a function that ends it."""
    return events.subscribe(events.Event, _write)


def _write(event: events.Event) -> None:
    level = _level(event)
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, "%s %s", event.name, " ".join(f"{key}={_text(value)}" for key, value in _filled(event)))


def _level(event: events.Event) -> int:
    if isinstance(event, events.ShardExited) and event.cause in _QUIET_EXITS:
        return logging.INFO
    if isinstance(event, events.ConsumerReaped) and not any(
        (event.released, event.suspects, event.crashed, event.verdicts)
    ):
        return logging.DEBUG
    return _LEVELS.get(type(event), logging.INFO)


def _filled(event: events.Event) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in event.fields().items() if value not in ("", (), None)]


def _text(value: object) -> str:
    if isinstance(value, tuple):
        more = f",... ({len(value)} in all)" if len(value) > _LISTED else ""
        return ",".join(_text(item) for item in value[:_LISTED]) + more
    text = str(value)
    return repr(text) if " " in text or "\n" in text else text
