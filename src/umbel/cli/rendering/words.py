"""Text that comes from messages and errors, made harmless: no control character of it reaches a terminal.

Nor does a lone surrogate, which is how Python reads a file name that is not UTF-8: no stream can write it.
"""

from __future__ import annotations

import re

__all__ = ["harmless", "one_line"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    r"""Return the text with its control characters and lone surrogates written out; line breaks and tabs stay.

    >>> harmless("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return the text as one line, each run of blanks as one."""
    return harmless(" ".join(text.split()))
