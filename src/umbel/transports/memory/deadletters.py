"""Dead letters: list, add, replay, discard, prune."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from umbel.message import LAYOUT, Envelope, replayed
from umbel.outcomes import Reason
from umbel.transports.base import DeadLetter, DeadLetterFilter
from umbel.transports.memory.core import Core

__all__ = ["DeadLettersPart"]


class DeadLettersPart(Core):
    """:class:`umbel.transports.base.DeadLetters`."""

    def list_dead(self, where: DeadLetterFilter) -> Sequence[DeadLetter]:
        """Return those that match, newest first."""
        with self._state.lock:
            return self._newest_first(where)[: where.limit]

    def count_dead(self, where: DeadLetterFilter) -> int:
        """Return how many match."""
        with self._state.lock:
            return len(self._newest_first(where))

    def bury(self, queue: str, envelope: Envelope, reason: Reason, error: Mapping[str, Any]) -> str:
        """Add a dead letter for a message that is not claimed; return its id."""
        with self._state.lock:
            return self._add_letter(queue, envelope, (reason, error), deliveries=1, crashes=0)

    def replay(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Move dead letters back to their queues; return {dead letter id: task id}.

        An unknown id, and a letter whose layout only a newer version can read, is left out.
        """
        now = self._clock.now()
        done: dict[str, str] = {}
        with self._state.lock:
            for name in dict.fromkeys(ids):
                letter = self._state.letters.get(name)
                if letter is None or letter.envelope.layout > LAYOUT:
                    continue
                del self._state.letters[name]
                self._insert(self._queue(letter.queue, now), replayed(letter.envelope), now)
                done[name] = letter.envelope.task_id
        if done:
            self._state.bell.ring()
        return done

    def discard(self, ids: Sequence[str]) -> int:
        """Remove dead letters for good; return how many."""
        with self._state.lock:
            return sum(self._state.letters.pop(name, None) is not None for name in ids)

    def prune_dead(self, *, max_age: float, max_count: int) -> int:
        """Remove those older than ``max_age`` seconds, then the oldest over ``max_count``."""
        oldest = self._clock.now() - max_age
        with self._state.lock:
            letters = self._newest_first(DeadLetterFilter())
            young = [letter for letter in letters if letter.died_at >= oldest]
            kept = {letter.id for letter in young[:max_count]}
            return self.discard([letter.id for letter in letters if letter.id not in kept])

    def _newest_first(self, where: DeadLetterFilter) -> list[DeadLetter]:
        found = [letter for letter in self._state.letters.values() if _matches(letter, where)]
        return sorted(found, key=lambda letter: (letter.died_at, int(letter.id)), reverse=True)

    def _add_letter(
        self,
        queue: str,
        envelope: Envelope,
        cause: tuple[Reason, Mapping[str, Any]],
        *,
        deliveries: int,
        crashes: int,
    ) -> str:
        self._state.last_letter += 1
        name = str(self._state.last_letter)
        error = json.loads(json.dumps(dict(cause[1]), default=str))
        now = self._clock.now()
        self._state.letters[name] = DeadLetter(name, queue, envelope, cause[0], error, now, deliveries, crashes)
        return name


def _matches(letter: DeadLetter, where: DeadLetterFilter) -> bool:
    envelope = letter.envelope
    return (
        (where.ids is None or letter.id in where.ids)
        and where.queue in {None, letter.queue}
        and where.task in {None, envelope.task}
        and where.task_id in {None, envelope.task_id}
        and where.reason in {None, letter.reason}
        and where.error_code in {None, letter.error.get("error_code")}
        and (where.before is None or letter.died_at < where.before)
        and (where.after is None or letter.died_at >= where.after)
    )
