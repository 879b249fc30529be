"""On which line of a TOML file each key stands.

``tomllib`` reads values and forgets places. This walks over a text that ``tomllib`` has already
accepted, so it need not judge, only skip: keys are kept, values are passed over.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Callable

__all__ = ["Path", "locate"]

Path = tuple[str, ...]
"""The names from the root to a key."""

_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    r"""
    \"{3}(?:\\.|[^\\])*?\"{3}(?:\"{0,2})   # multi-line, with escapes; up to two quotes may end it
    | '{3}.*?'{3}(?:'{0,2})                # multi-line, as it stands
    | "(?:\\.|[^"\\\n])*"
    | '[^'\n]*'
    """,
    re.DOTALL | re.VERBOSE,
)
_SCALAR = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")


def locate(text: str) -> dict[Path, int]:
    """Return the line (from 1) of every table and key of a valid TOML text.

    Keys inside an array have the line of the array's own key.
    """
    return _Walk(text).run()


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._newlines = [match.start() for match in re.finditer("\n", text)]

    def run(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table, keep=True)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> Path:
        line = self._line()
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        table = self._key()
        self._at += brackets
        self._remember((), table, line)
        return table

    def _pair(self, table: Path, *, keep: bool) -> None:
        line = self._line()
        key = self._key()
        if keep:
            self._remember(table, key, line)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value((*table, *key), keep=keep)

    def _key(self) -> Path:
        parts = []
        while True:
            self._skip(_BLANK)
            parts.append(_unquote(self._take(_KEY_PART)))
            if not self._skip(_DOT):
                self._skip(_BLANK)
                return tuple(parts)

    def _value(self, key: Path, *, keep: bool) -> None:
        match self._peek():
            case "[":
                self._items("]", lambda: self._value(key, keep=False))
            case "{":
                self._items("}", lambda: self._pair(key, keep=keep))
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_SCALAR)

    def _items(self, end: str, read: Callable[[], None]) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._peek() != end:
            read()
            self._skip(_BLANK)
            if self._peek() == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _remember(self, table: Path, key: Path, line: int) -> None:
        for length in range(1, len(key) + 1):
            self._lines.setdefault((*table, *key[:length]), line)

    def _line(self) -> int:
        return bisect_left(self._newlines, self._at) + 1

    def _peek(self) -> str:
        return self._text[self._at]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is None:
            return False
        self._at = match.end()
        return True

    def _take(self, pattern: re.Pattern[str]) -> str:
        start = self._at
        self._skip(pattern)
        return self._text[start : self._at]


def _unquote(part: str) -> str:
    if part[:1] not in {'"', "'"}:
        return part
    value: str = tomllib.loads(f"key = {part}")["key"]
    return value
