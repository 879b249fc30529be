"""Groups and chords, as Celery's canvas asks a result backend for them.

Chords are native: the parts are counted where they are stored, and ``celery.chord_unlock`` is never used. A
part's value is kept with the chord, so tasks of a header may ignore their results, and may expire.
"""

from __future__ import annotations

from typing import Any

from celery.result import GroupResult, result_from_tuple

from umbel.clock import Clock
from umbel.results.chords import leaf_ids, nested_ids
from umbel.results.lifetimes import Lifetimes
from umbel.results.records import ChordPart, ChordState, ChordStore, ResultStore

__all__ = ["CanvasSupport"]


class CanvasSupport:
    """The part of a backend that Celery's ``group`` and ``chord`` use."""

    app: Any
    clock: Clock
    lifetimes: Lifetimes
    results: ResultStore
    chords: ChordStore

    encode: Any
    decode: Any
    encode_result: Any

    def keep_part(self, part: ChordPart) -> None:
        """Store a chord's part, and do what follows when its chord is complete."""
        raise NotImplementedError

    def add_to_chord(self, group_id: str, result: Any) -> None:  # noqa: ANN401 - AsyncResult or GroupResult
        """Add a task, or the tasks of a group, to a chord that runs."""
        self.chords.extend(group_id, list(leaf_ids(result)), self.chord_expires_at(ChordState.OPEN))

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Say how many parts a chord's header has; Celery knows it when it sends the last of them."""
        self.chords.resize(group_id, chord_size, self.chord_expires_at(ChordState.OPEN))

    def apply_chord(self, header_result_args: tuple[str, Any], body: Any, **_options: Any) -> None:  # noqa: ANN401, ARG002 - Celery's signature
        """Announce a chord before its header is sent; a header that is a generator is not unrolled."""
        group_id, results = header_result_args
        nested = nested_ids(results) if type(results) is list else None
        structure = None if nested is None else self.encode(nested)
        # Inside a task the messages are continuations: sent again, the broker drops them, and the parts
        # that have returned must not be forgotten. Outside, applying a frozen chord again is a new run.
        afresh = not self.app.current_worker_task
        self.chords.open(group_id, structure, self.chord_expires_at(ChordState.OPEN), afresh=afresh)

    def on_chord_part_return(self, request: Any, state: str, result: Any, **_options: Any) -> None:  # noqa: ANN401 - Celery's signature
        """Record that a task of a chord's header has ended, and start or fail the body after the last."""
        if not request.group or not request.id:
            return
        self.keep_part(
            ChordPart(
                group_id=request.group,
                task_id=request.id,
                position=getattr(request, "group_index", None),
                status=state,
                result=self.encode(self.encode_result(result, state)),
                callback=request.chord,
                root_id=getattr(request, "root_id", None),
                expires_at=self.chord_expires_at(ChordState.OPEN),
            )
        )

    def chord_expires_at(self, state: ChordState) -> float | None:
        """Return when a chord in this state may be forgotten if nothing more is heard of it."""
        return self.lifetimes.chord_expires_at(state, self.clock.now())

    def _save_group(self, group_id: str, result: GroupResult) -> GroupResult:
        expires_at = self.lifetimes.result_expires_at("SUCCESS", self.clock.now())
        self.results.save_group(group_id, self.encode(result.as_tuple()), expires_at)
        return result

    def _restore_group(self, group_id: str) -> dict[str, Any] | None:
        content = self.results.load_group(group_id)
        if content is None:
            return None
        return {"task_id": group_id, "result": result_from_tuple(self.decode(content), self.app)}

    def _delete_group(self, group_id: str) -> None:
        self.results.delete_group(group_id)
