"""What follows when all parts of a chord are in: its body is published, or failed, once.

The argument. A part is recorded in the store before anything follows from it. Whoever finds the set
complete takes the chord's lock, looks again, publishes the body and records that, in this order.

- Two that find it complete at once: the second waits for the lock and then finds the chord settled.
- Death after a part was recorded and before the body was published: the part's message was not
  acknowledged, so it is redelivered; recording the part again changes nothing, and the set is complete.
- Death after the body was published and before that was recorded: the body is published again by the
  redelivered part, under the id that it was frozen with, and the broker drops the repeat.
- The broker cannot be reached: the error is raised, the part stays unsettled, and it is tried again.

A failed part fails the body only when all others are in, as in Celery. The parts are kept: when the failed
ones are replayed from the dead letters and succeed, the body is published after all, and its success
replaces its failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from celery import chain, chord, group, maybe_signature, states
from celery.exceptions import ChordError
from kombu.exceptions import OperationalError

from umbel import _celery, events
from umbel.errors import StorageError
from umbel.message import HEADER_DEDUP
from umbel.results.records import ChordMember, ChordPart, ChordState, ChordStore

__all__ = ["ChordCompletion", "leaf_ids", "nested_ids"]

Nested = list[Any]
"""Task ids in lists, as the header's results are nested."""


class Backend(Protocol):
    """What completing a chord needs of the result backend."""

    app: Any

    def decode(self, payload: Any) -> Any:  # noqa: ANN401 - whatever the tasks have returned
        """Decode what the serializer has encoded."""
        ...

    def exception_to_python(self, exc: Any) -> BaseException:  # noqa: ANN401 - an encoded exception
        """Return an encoded exception as one."""
        ...

    def chord_error_from_stack(self, callback: Any, exc: BaseException) -> Any:  # noqa: ANN401 - Celery's signature
        """Fail the chord's body and call its errbacks."""
        ...


class ChordCompletion:
    """Completes chords. ``lock`` excludes every other process and thread that completes the same chord;
    ``keep_until`` says when a settled chord may be forgotten.
    """

    def __init__(
        self,
        backend: Backend,
        store: ChordStore,
        *,
        lock: Callable[[str], AbstractContextManager[None]],
        keep_until: Callable[[ChordState], float | None],
    ) -> None:
        self._backend = backend
        self._store = store
        self._lock = lock
        self._keep_until = keep_until

    def complete(self, part: ChordPart) -> None:
        """Do what follows from this part, if anything still does.

        Raises:
            StorageError: the body could not be published or the store not be reached; try again.
        """
        with self._lock(part.group_id):
            progress = self._store.progress(part.group_id)
            if progress is None or not progress.calls_for_action:
                return
            state = self._fail(part) if progress.failed else self._publish(part)
            self._store.settle(part.group_id, state, self._keep_until(state))

    def _publish(self, part: ChordPart) -> ChordState:
        app = self._backend.app
        body = maybe_signature(part.callback, app=app)
        try:
            results = self._results(part.group_id)
            options = {**_parentage(app, part), **_identity(body, part.group_id)}
            _celery.publish_callback(app, body.apply_async, (results,), **options)
        except (OperationalError, StorageError, OSError) as problem:
            message = f"the body of chord {part.group_id} could not be published: {problem}"
            raise StorageError(message, hint="it is tried again", group_id=part.group_id) from problem
        except Exception as problem:  # noqa: BLE001 - a body that cannot be sent is a failed body, whatever the reason
            self._fail_body(part, body, _chord_error(f"Callback error: {problem!r}", problem))
        return ChordState.DONE

    def _fail(self, part: ChordPart) -> ChordState:
        culprit = next(member for member in self._store.members(part.group_id) if _failed(member))
        problem = self._backend.exception_to_python(self._backend.decode(culprit.result))
        error = _chord_error(f"Dependency {culprit.task_id} raised {problem!r}", problem)
        self._fail_body(part, maybe_signature(part.callback, app=self._backend.app), error)
        return ChordState.FAILED

    def _fail_body(self, part: ChordPart, body: Any, error: ChordError) -> None:  # noqa: ANN401 - any Celery signature
        events.emit(events.ChordFailed(group_id=part.group_id, body=str(body.task), problem=str(error)))
        # Celery fails the body's own result. A body of several steps has other results that would be
        # waited for in vain, and a body that is a part of another chord would leave that one open.
        _celery.fail_signatures(self._backend, list(_steps_behind(body)), error)
        try:
            raise error
        except ChordError:
            # Celery takes the traceback that it stores from the exception that is being handled.
            self._backend.chord_error_from_stack(body, error)

    def _results(self, group_id: str) -> Nested:
        members = self._store.members(group_id)
        structure = self._store.structure(group_id)
        if structure is not None:
            nested = _arranged(self._backend.decode(structure), members)
            if nested is not None:
                return self._decoded(nested)
        return self._decoded(list(members))

    def _decoded(self, members: Nested) -> Nested:
        decode = self._backend.decode
        return [decode(item.result) if isinstance(item, ChordMember) else self._decoded(item) for item in members]


def leaf_ids(result: Any) -> Iterator[str]:  # noqa: ANN401 - AsyncResult or GroupResult
    """Return the ids of the tasks that a result stands for."""
    inner = getattr(result, "results", None)
    if inner is None:
        yield result.id
    else:
        for item in inner:
            yield from leaf_ids(item)


def nested_ids(results: Iterable[Any]) -> Nested | None:
    """Return the ids in the structure of a chord's header, or None when the header is flat."""
    nested: Nested = [_shape(result) for result in results]
    return nested if any(isinstance(item, list) for item in nested) else None


def _shape(result: Any) -> Any:  # noqa: ANN401 - a task id or a list of shapes
    inner = getattr(result, "results", None)
    return result.id if inner is None else [_shape(item) for item in inner]


def _arranged(structure: Nested, members: Iterable[ChordMember]) -> Nested | None:
    """The members in the announced structure, later additions at the end; None when one is missing."""
    waiting: dict[str, list[ChordMember]] = {}
    for member in members:
        waiting.setdefault(member.task_id, []).append(member)
    try:
        arranged = _fill(structure, waiting)
    except LookupError:
        return None
    return [*arranged, *(member for rest in waiting.values() for member in rest)]


def _fill(structure: Nested, waiting: Mapping[str, list[ChordMember]]) -> Nested:
    return [_fill(item, waiting) if isinstance(item, list) else waiting[item].pop(0) for item in structure]


def _failed(member: ChordMember) -> bool:
    return member.status in states.PROPAGATE_STATES


def _steps_behind(body: Any) -> Iterator[Any]:  # noqa: ANN401 - any Celery signature
    if isinstance(body, chain):
        yield from body.tasks
    elif isinstance(body, group):
        for task in body.tasks:
            yield from _steps_behind(maybe_signature(task, app=body.app))
    elif isinstance(body, chord) or "chord" in body.options:
        yield body


def _chord_error(message: str, cause: BaseException) -> ChordError:
    error = ChordError(message)
    error.__cause__ = cause
    return error


def _identity(body: Any, group_id: str) -> dict[str, Any]:  # noqa: ANN401 - any Celery signature
    """Let the broker know a repeat by its chord, for the body's id may be one that somebody chose and uses
    again. The messages of a body of several tasks are known by the ids that Celery gave them.
    """
    if isinstance(body, (chain, group, chord)):
        return {}
    return {"headers": {HEADER_DEDUP: f"chord:{group_id}", **(body.options.get("headers") or {})}}


def _parentage(app: Any, part: ChordPart) -> dict[str, Any]:  # noqa: ANN401 - a Celery application
    """Inside a task Celery knows the parent; in a later settlement we must say it."""
    if app.current_worker_task:
        return {}
    return {"parent_id": part.task_id, "root_id": part.root_id or part.task_id}
