"""The exit codes, and which error ends with which: the one table behind the code, the docs and the tests."""

from __future__ import annotations

from enum import IntEnum

from umbel.errors import ConfigurationError, NotFoundError, QueueNotFoundError, StorageError

__all__ = ["MEANINGS", "Exit", "exit_of"]


class Exit(IntEnum):
    """How a command ends; stable across releases."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    STORAGE = 4
    NOT_FOUND = 5
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS = {
    Exit.OK: "the command did what it was asked",
    Exit.FAILED: "the operation failed, or was not confirmed; nothing else is known to be wrong",
    Exit.USAGE: "the command line is wrong: an unknown command, option or value",
    Exit.CONFIGURATION: "a setting is wrong, or the app cannot be loaded",
    Exit.STORAGE: "the broker or database cannot be reached, read or written",
    Exit.NOT_FOUND: "the queue, task or dead letter does not exist",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
    Exit.BROKEN_PIPE: "the reader of the output went away",
}

_BY_ERROR = (
    (ConfigurationError, Exit.CONFIGURATION),
    (StorageError, Exit.STORAGE),
    (QueueNotFoundError, Exit.NOT_FOUND),
    (NotFoundError, Exit.NOT_FOUND),
)


def exit_of(error: BaseException) -> Exit:
    """Return the exit code for an error; what stands in no row is a failed operation."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.FAILED)
