"""The error tree: every failure that Umbel raises, with a stable code.

The same fields cross every surface: problem documents over HTTP, result metadata, dead letters,
events, logs, and one line on stderr in the CLI.

    UmbelError                     UMBEL_ERROR
    ├── ConfigurationError         CONFIGURATION_INVALID
    │   ├── UnknownKeyError        CONFIGURATION_UNKNOWN_KEY
    │   ├── SecretInFileError      CONFIGURATION_SECRET_IN_FILE
    │   ├── ConflictError          CONFIGURATION_CONFLICT
    │   └── UnsupportedError       CONFIGURATION_UNSUPPORTED
    ├── StorageError               STORAGE_UNAVAILABLE          (retryable)
    │   ├── StorageLockedError     STORAGE_LOCKED               (retryable)
    │   ├── StorageFullError       STORAGE_FULL
    │   ├── StorageCorruptError    STORAGE_CORRUPT
    │   └── StorageUnwritableError STORAGE_UNWRITABLE
    ├── MessageError               MESSAGE_INVALID
    │   ├── UndecodableError       MESSAGE_UNDECODABLE
    │   ├── OversizeError          MESSAGE_OVERSIZE
    │   └── UnknownLayoutError     MESSAGE_LAYOUT_UNKNOWN
    ├── QueueNotFoundError         QUEUE_NOT_FOUND
    ├── TaskError                  TASK_FAILED
    │   ├── TemporaryError         TASK_TEMPORARY_FAILURE       (retryable)
    │   ├── PermanentError         TASK_PERMANENT_FAILURE
    │   └── PoisonError            TASK_POISON
    ├── NotFoundError              NOT_FOUND
    └── NotWaitingError            TASK_NOT_WAITING
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar

__all__ = [
    "ConfigurationError",
    "ConflictError",
    "MessageError",
    "NotFoundError",
    "NotWaitingError",
    "OversizeError",
    "PermanentError",
    "PoisonError",
    "QueueNotFoundError",
    "SecretInFileError",
    "StorageCorruptError",
    "StorageError",
    "StorageFullError",
    "StorageLockedError",
    "StorageUnwritableError",
    "TaskError",
    "TemporaryError",
    "UmbelError",
    "UndecodableError",
    "UnknownKeyError",
    "UnknownLayoutError",
    "UnsupportedError",
    "describe",
]


class UmbelError(Exception):
    """The root of every error that Umbel raises.

    ``error_code`` is stable across releases, ``retryable`` says whether the same call can succeed
    later without a change, ``details`` holds JSON-ready facts, and ``hint`` is the remedy.
    Keyword arguments other than ``hint`` and ``error_code`` become ``details``.

    ``args`` is the message and the contract, because that is what Celery's result backends store of
    an exception in JSON and rebuild it from: ``AsyncResult.result`` has the type and all the fields.

    >>> error = UmbelError("queue 'bulk' is paused", hint="umbel queues resume bulk", queue="bulk")
    >>> error.contract()["details"]
    {'queue': 'bulk'}
    """

    error_code: str = "UMBEL_ERROR"
    retryable: bool = False
    default_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        *restored: Any,  # noqa: ANN401 - the contract, when a stored result is rebuilt
        hint: str | None = None,
        error_code: str | None = None,
        **details: Any,  # noqa: ANN401 - JSON-ready facts of any shape
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        self.details: dict[str, Any] = details
        if error_code is not None:
            self.error_code = error_code
        for contract in restored:
            self._restore(contract)

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - whatever a subclass declares
        super().__init_subclass__(**options)
        own = cls.__dict__.get("__init__")
        if own is not None:
            cls.__init__ = _restorable(own)  # type: ignore[method-assign]  # see _restorable

    @property
    def args(self) -> tuple[Any, ...]:  # type: ignore[override]  # derived, so that it cannot disagree
        """The message and the contract: what rebuilds the error from JSON."""
        message = getattr(self, "message", None)
        return () if message is None else (message, self.contract())

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.hint, self.error_code, self.details))

    def contract(self) -> dict[str, Any]:
        """Return the fields of the error contract, JSON-ready."""
        return {
            "error_code": self.error_code,
            "message": self.message,
            "retryable": self.retryable,
            "details": self.details,
            "hint": self.hint,
        }

    def _restore(self, contract: object) -> None:
        if not isinstance(contract, Mapping):
            return
        self.hint = str(contract.get("hint", self.hint))
        self.details = dict(contract.get("details") or {})
        self.error_code = str(contract.get("error_code", self.error_code))
        self.retryable = bool(contract.get("retryable", self.retryable))


def _restorable(own: Callable[..., None]) -> Callable[..., None]:
    """Let a subclass with an ``__init__`` of its own be rebuilt all the same: its arguments are not
    stored, its contract is.
    """

    @wraps(own)
    def __init__(self: UmbelError, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, N807 - any subclass's
        if len(args) == 2 and isinstance(args[1], Mapping) and args[1].keys() == _FIELDS:  # noqa: PLR2004 - as in args
            UmbelError.__init__(self, *args)
        else:
            own(self, *args, **kwargs)

    return __init__


_FIELDS = {"error_code", "message", "retryable", "details", "hint"}


def _rebuild(
    kind: type[UmbelError],
    message: str,
    hint: str,
    error_code: str,
    details: dict[str, Any],
) -> UmbelError:
    error = kind.__new__(kind)
    UmbelError.__init__(error, message, hint=hint, error_code=error_code, **details)
    return error


class ConfigurationError(UmbelError):
    """A setting is missing, has the wrong type, or contradicts another."""

    error_code = "CONFIGURATION_INVALID"
    default_hint = "umbel config check names every problem"


class UnknownKeyError(ConfigurationError):
    """A configuration source has a key that Umbel does not know."""

    error_code = "CONFIGURATION_UNKNOWN_KEY"


class SecretInFileError(ConfigurationError):
    """A secret stands in a TOML file; secrets belong in .env or the environment."""

    error_code = "CONFIGURATION_SECRET_IN_FILE"


class ConflictError(ConfigurationError):
    """Two settings contradict each other."""

    error_code = "CONFIGURATION_CONFLICT"


class UnsupportedError(ConfigurationError):
    """A limit or feature was asked for where it cannot be enforced."""

    error_code = "CONFIGURATION_UNSUPPORTED"


class StorageError(UmbelError):
    """A database or broker could not be reached or answered with an error."""

    error_code = "STORAGE_UNAVAILABLE"
    retryable = True


class StorageLockedError(StorageError):
    """Another connection held the database's write lock for longer than the busy time-out."""

    error_code = "STORAGE_LOCKED"
    default_hint = "end the long write transaction, or raise broker.busy_timeout"


class StorageFullError(StorageError):
    """The disk, or the database's page limit, is full."""

    error_code = "STORAGE_FULL"
    retryable = False
    default_hint = "free space on the disk that holds the file; nothing that was stored is lost"


class StorageCorruptError(StorageError):
    """The file is not a database, or its pages are damaged."""

    error_code = "STORAGE_CORRUPT"
    retryable = False
    default_hint = "move the file away and restore a backup, or recover it with: sqlite3 FILE .recover"


class StorageUnwritableError(StorageError):
    """The file or its folder cannot be opened for writing."""

    error_code = "STORAGE_UNWRITABLE"
    retryable = False
    default_hint = "give the worker's user write permission on the file and on its folder"


class MessageError(UmbelError):
    """A message cannot be published or run as it is."""

    error_code = "MESSAGE_INVALID"


class UndecodableError(MessageError):
    """A message's body or headers cannot be decoded."""

    error_code = "MESSAGE_UNDECODABLE"


class OversizeError(MessageError):
    """A message is larger than ``broker.max_message_size``."""

    error_code = "MESSAGE_OVERSIZE"
    default_hint = "pass a reference instead of the data, or raise broker.max_message_size"


class UnknownLayoutError(MessageError):
    """A stored message has an envelope layout of a newer Umbel."""

    error_code = "MESSAGE_LAYOUT_UNKNOWN"
    default_hint = "upgrade this worker; the message stays in the queue"


class QueueNotFoundError(UmbelError):
    """An operation names a queue that does not exist."""

    error_code = "QUEUE_NOT_FOUND"
    default_hint = "umbel queues lists the queues that exist"


class NotFoundError(UmbelError):
    """An operation names a task or dead letter that does not exist."""

    error_code = "NOT_FOUND"


class NotWaitingError(UmbelError):
    """An operation on a task that waits found it claimed, dead, or gone."""

    error_code = "TASK_NOT_WAITING"


class TaskError(UmbelError):
    """A task failed. Raise a subclass in a body to say what should happen next."""

    error_code = "TASK_FAILED"


class TemporaryError(TaskError):
    """The same call can succeed later: it is retried with backoff and jitter."""

    error_code = "TASK_TEMPORARY_FAILURE"
    retryable = True


class PermanentError(TaskError):
    """No retry can help: the message goes straight to the dead letters."""

    error_code = "TASK_PERMANENT_FAILURE"


class PoisonError(TaskError):
    """The task's process died while the task ran alone, as often as the limit allows."""

    error_code = "TASK_POISON"
    default_hint = "mend the task, then replay its dead letter"


def describe(error: BaseException) -> dict[str, Any]:
    """Return any exception in the form of the error contract.

    Exceptions of other libraries get ``error_code`` from their class, and ``retryable`` false.
    """
    if isinstance(error, UmbelError):
        return error.contract()
    return {
        "error_code": type(error).__name__,
        "message": str(error),
        "retryable": False,
        "details": {},
        "hint": "",
    }
