"""Dead letters as a table, and one of them whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rich.text import Text

from umbel.cli.rendering.documents import jsonable
from umbel.cli.rendering.tables import Column, Grid
from umbel.cli.rendering.times import ago, size, until
from umbel.control.deadletters import Letter, LetterDetail

__all__ = ["letter_lines", "letters_table"]

_ROOMY = 100
"""Columns from which on the queue and the error's message fit too."""


def letters_table(letters: Sequence[Letter], *, width: int) -> Grid:
    """Build the table; in a narrow terminal it leaves out the queue and the error's message."""
    roomy = width >= _ROOMY
    task, error = Column("TASK", soft=True), Column("ERROR", soft=True)
    columns = [Column("ID"), Column("DIED"), task, Column("REASON"), error]
    if roomy:
        columns.insert(2, Column("QUEUE", soft=True))
        columns.append(Column("MESSAGE", soft=True))
    return Grid(columns, [_row(letter, roomy=roomy) for letter in letters])


def _row(letter: Letter, *, roomy: bool) -> list[str | Text]:
    cells: list[str | Text] = [
        letter.id,
        ago(letter.died_at),
        letter.task or "-",
        Text(letter.reason, style="red"),
        letter.error_code or "-",
    ]
    if roomy:
        cells.insert(2, letter.queue)
        cells.append(letter.message or "-")
    return cells


def letter_lines(detail: LetterDetail) -> list[tuple[str, str]]:
    """Return the letter as labelled values; empty ones are left out when they are printed."""
    letter, payload = detail.letter, detail.payload
    return [
        ("Dead letter", letter.id),
        ("Task", f"{letter.task or 'unknown'} ({letter.task_id or 'no id'})"),
        ("Queue", letter.queue),
        ("Died", f"{ago(letter.died_at)} ({letter.died_at.isoformat(timespec='seconds')})"),
        ("Reason", letter.reason),
        ("Error", f"{letter.error_code}: {letter.message}" if letter.error_code else letter.message),
        ("Hint", str(detail.error.get("hint") or "")),
        ("Details", _compact(detail.error.get("details"))),
        ("Deliveries", f"{letter.deliveries}{_crashes(letter)}"),
        ("Replays", str(letter.replay) if letter.replay else ""),
        ("Priority", str(detail.priority)),
        ("Size", size(detail.size)),
        ("Expires", "" if detail.expires_at is None else until(detail.expires_at)),
        ("Args", _compact(payload.args)),
        ("Kwargs", _compact(payload.kwargs)),
        ("Unreadable", payload.problem or ""),
        ("Body", payload.raw or ""),
        ("Headers", ", ".join(_other_headers(detail))),
    ]


def _crashes(letter: Letter) -> str:
    return f", and {letter.crashes} of them ended in a crash" if letter.crashes else ""


def _other_headers(detail: LetterDetail) -> Iterator[str]:
    """Give the headers that say something which does not stand on another line."""
    shown = (detail.letter.task, detail.letter.task_id)
    for name, value in detail.payload.headers.items():
        if value not in (None, "", [], {}, False, *shown) and name not in ("argsrepr", "kwargsrepr"):
            yield f"{name}: {value if isinstance(value, str) else _compact(value) or value}"


def _compact(value: object) -> str:
    return json.dumps(jsonable(value), ensure_ascii=False) if value else ""
