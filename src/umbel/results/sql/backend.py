"""Celery's result backend over a SQL database.

By default every result is stored at once. A worker that settles in batches calls
:meth:`SqlBackend.start_batching`; final results of ordinary tasks then wait for :meth:`SqlBackend.flush`,
which the worker calls before it acknowledges. Everything else takes what waits along and is stored at once.

What must stay true: nothing is acknowledged before its outcome is stored. Without batching, a task whose
outcome cannot be stored is therefore given back to the broker. With batching, what cannot be stored stays
in the buffer, and the next settlement withholds its acks until it is.
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from celery import states
from celery.app.task import Context
from celery.backends.base import BaseBackend
from celery.exceptions import Reject

from umbel.clock import Clock, SystemClock
from umbel.database import sqlite_path
from umbel.errors import ConfigurationError, MessageError, StorageError
from umbel.results.buffer import ResultBuffer
from umbel.results.canvas import CanvasSupport
from umbel.results.chords import ChordCompletion
from umbel.results.failures import described, restored
from umbel.results.lifetimes import Lifetimes
from umbel.results.metadata import NOTHING_KNOWN, extended_fields, metadata
from umbel.results.records import ChordPart, ResultRow
from umbel.results.sql.sqlite import ChordLocks, SqliteChords, SqliteResults, open_database
from umbel.results.waiting import NativeWaiting

__all__ = ["SqlBackend"]

_OPTIONS = frozenset({"busy_timeout", "synchronous"})
_SCALARS = frozenset({type(None), bool, int, float, str})
_CLEANUP_BATCH = 1_000
_encode_scalar = json.JSONEncoder().encode


class SqlBackend(CanvasSupport, NativeWaiting, BaseBackend):
    """Keeps results in the database that ``url`` names: ``sqlite:///file.db``, which may be the broker's.

    ``result_backend_transport_options`` may set ``busy_timeout`` (seconds) and ``synchronous``.

    >>> app = Celery("shop", backend="sqlite:///umbel.db")  # doctest: +SKIP

    Raises:
        ConfigurationError: the URL or an option is not understood.
    """

    supports_native_join = True
    supports_result_compression = True
    supports_failure_expires = True
    persistent = True

    def __init__(self, app: Any, url: str | None = None, *, clock: Clock | None = None, **options: Any) -> None:  # noqa: ANN401 - Celery's own
        super().__init__(app, url=url, **options)
        self.thread_safe = True
        self.clock = clock or SystemClock()
        self.lifetimes = Lifetimes.of(app.conf, self.expires)
        path = sqlite_path(url or "").absolute()
        self._database = open_database(path, **_database_options(app.conf))
        self.chords = SqliteChords(self._database)
        self.results = SqliteResults(self._database, self.chords, clock=self.clock)
        self._completion = ChordCompletion(
            self, self.chords, lock=ChordLocks(path).hold, keep_until=self.chord_expires_at
        )
        self._buffer = ResultBuffer(self.results.write, self._completion.complete, self._in_words)
        self._plain = self.serializer == "json" and not self.compression
        self._extended = False
        _backends.add(self)

    def _in_words(self, row: ResultRow, problem: Exception) -> ResultRow:
        """Return a failure in place of a row that cannot be stored; a task that succeeded is not run again for it."""
        text = f"the result of this task ({row.status}) cannot be stored: {problem!a}"
        failure = self.encode(self.encode_result(MessageError(text, error_code="RESULT_UNSTORABLE"), states.FAILURE))
        return row._replace(status=states.FAILURE, result=failure, traceback=None, children=None, extended=None)

    def start_batching(self) -> None:
        """Let final results of ordinary tasks wait for :meth:`flush`, in this process from now on."""
        self._extended = self._is_extended()
        self._buffer.active = True

    def flush(self) -> None:
        """Store what waits, and publish the bodies of chords that are complete.

        Raises:
            StorageError: it could not be stored or published; it is kept for the next call.
        """
        self._buffer.flush()

    def close(self) -> None:
        """Store what waits and close this process's connection."""
        self._buffer.flush()
        self._database.close()

    def store_result(
        self,
        task_id: str,
        result: Any,  # noqa: ANN401 - whatever a task returns
        state: str,
        traceback: str | None = None,
        request: Any = None,  # noqa: ANN401 - a request of the tracer or of the worker
        **_options: Any,  # noqa: ANN401 - what other backends take
    ) -> Any:  # noqa: ANN401 - the encoded result
        """Store a task's state and result; what cannot be encoded raises Celery's ``EncodeError`` here."""
        encoded = self.encode_result(result, state)
        row = self._row(task_id, encoded, state, traceback, request)
        if not self._buffer.active:
            self._store_or_give_back([row])
            return encoded
        self._buffer.add(row)
        # Only the tracer has a Context, and the worker settles after it. The tracer's chord parts are
        # flushed by keep_part, right after this.
        if state not in states.READY_STATES or not isinstance(request, Context):
            self._flush_or_leave_to_settlement()
        return encoded

    def keep_part(self, part: ChordPart) -> None:
        """Store a chord's part, and do what follows when its chord is complete."""
        if self._buffer.active:
            self._buffer.add_part(part)
            self._flush_or_leave_to_settlement()
        else:
            self._store_or_give_back([], [part])

    def encode_result(self, result: Any, state: str) -> Any:  # noqa: ANN401 - whatever a task returns
        """Return the result as it is encoded: exceptions as mappings, ours with the error contract."""
        encoded = super().encode_result(result, state)
        if isinstance(encoded, dict) and isinstance(result, BaseException):
            return described(encoded, result, encode=self.encode)
        return encoded

    def exception_to_python(self, exc: Any) -> BaseException | None:  # noqa: ANN401 - what was decoded
        """Return a stored exception as one."""
        return restored(super().exception_to_python(exc), exc)

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Return whether ``result_backend_always_retry`` may try again."""
        return isinstance(exc, StorageError) and exc.retryable

    def cleanup(self) -> None:
        """Delete all that has expired."""
        while self.results.prune(_CLEANUP_BATCH):
            pass

    def look(self, task_ids: Collection[str]) -> Mapping[str, dict[str, Any]]:
        """Return the metadata of those that have a result, buffered or stored, in one query."""
        buffered = {task_id: row for task_id in task_ids if (row := self._buffer.get(task_id))}
        successes = {task_id for task_id, row in buffered.items() if row.status == states.SUCCESS}
        unsure = [task_id for task_id in task_ids if task_id not in successes]
        stored = self.results.read(unsure) if unsure else {}
        # What is buffered is newer, unless another process has stored the success that wins.
        rows = {**stored, **{key: row for key, row in buffered.items() if not _is_success(stored.get(key))}}
        return {task_id: self.meta_from_decoded(metadata(row, self.decode)) for task_id, row in rows.items()}

    def reset_after_fork(self) -> None:
        """Start empty and without batching: what waited belongs to the parent."""
        self._buffer.reset()

    def _forget(self, task_id: str) -> None:
        self._buffer.discard(task_id)
        self.results.forget(task_id)

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        return self.look([task_id]).get(task_id) or dict(NOTHING_KNOWN)

    def _row(self, task_id: str, encoded: Any, state: str, traceback: str | None, request: Any) -> ResultRow:  # noqa: ANN401 - Celery's types
        now = self.clock.now()
        children = self.current_task_children(request)
        extended = request is not None and (self._extended if self._buffer.active else self._is_extended())
        return ResultRow(
            str(task_id),
            state,
            _encode_scalar(encoded) if self._plain and type(encoded) in _SCALARS else self.encode(encoded),
            _storable(traceback),
            self.encode(children) if children else None,
            getattr(request, "group", None),
            getattr(request, "parent_id", None),
            self.encode(extended_fields(request)) if extended else None,
            now,
            self.lifetimes.result_expires_at(state, now),
        )

    def _store_or_give_back(self, rows: list[ResultRow], parts: list[ChordPart] | None = None) -> None:
        try:
            self._ensure_retryable(self._store_now, rows, parts or [])
        except StorageError as problem:
            if _is_traced(self.app):
                raise Reject(problem, requeue=True) from problem
            raise

    def _store_now(self, rows: list[ResultRow], parts: list[ChordPart]) -> None:
        for part in self.results.write(rows, parts):
            self._completion.complete(part)

    def _flush_or_leave_to_settlement(self) -> None:
        # It stays in the buffer, and the settlement that comes before the acks raises what is wrong.
        with suppress(StorageError):
            self._buffer.flush()

    def _is_extended(self) -> bool:
        return bool(self.app.conf.find_value_for_key("extended", "result"))

    def __reduce__(self, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - pickle
        return super().__reduce__(args, {**(kwargs or {}), "url": self.url, "expires": self.expires})


def _database_options(conf: Any) -> dict[str, Any]:  # noqa: ANN401 - Celery's settings
    options = dict(conf.get("result_backend_transport_options") or {})
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        message = (
            f"result_backend_transport_options: expected {' and '.join(sorted(_OPTIONS))}, found {', '.join(unknown)}"
        )
        raise ConfigurationError(message, hint="remove what this backend does not have", unknown=unknown)
    return options


def _storable(traceback: str | None) -> str | None:
    # An error about a file whose name is not UTF-8 has lone surrogates in its text. SQLite refuses them, and
    # one row that can never be stored would keep every other one of its batch from being settled.
    return traceback if traceback is None else traceback.encode("utf-8", "backslashreplace").decode()


def _is_success(row: ResultRow | None) -> bool:
    return row is not None and row.status == states.SUCCESS


def _is_traced(app: Any) -> bool:  # noqa: ANN401 - a Celery application
    """Whether a worker's tracer is below us, which knows how to give a message back."""
    task = app.current_worker_task
    return bool(task) and not task.request.is_eager


_backends: weakref.WeakSet[SqlBackend] = weakref.WeakSet()


def _reset_after_fork() -> None:
    for backend in list(_backends):
        backend.reset_after_fork()


os.register_at_fork(after_in_child=_reset_after_fork)
