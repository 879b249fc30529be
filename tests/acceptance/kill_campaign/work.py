"""What the campaign publishes, and what must come of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import chain, chord, uuid

PARTS = 4


@dataclass(frozen=True, slots=True)
class Job:
    """One body that must have run in the end.

    ``id`` is None where only the worker knows it. ``after`` are the tasks of which each publishes this
    one before it is acknowledged, so while one of them waits, this one need not be there yet.
    """

    token: str
    id: str | None
    value: Any
    after: tuple[str, ...] = ()


class Publisher:
    """Publishes a mixed load, and remembers what it asked for."""

    def __init__(self, app: Any, chance: random.Random) -> None:
        self.jobs: list[Job] = []
        self._app = app
        self._tasks = app.tasks
        self._chance = chance
        self._count = 0
        self._kinds: dict[Callable[[], None], float] = {
            self._quick: 8,
            self._flaky: 2,
            self._chain: 2,
            self._link: 2,
            self._chord: 1,
            self._long: 0.15,
        }

    def publish(self, number: int) -> None:
        """Publish so many pieces of work, each of one task or more."""
        for make in self._chance.choices(list(self._kinds), list(self._kinds.values()), k=number):
            self._count += 1
            make()

    def leave_out_long_tasks(self) -> None:
        """Publish nothing that takes a second."""
        del self._kinds[self._long]

    def publish_one(self, name: str, *arguments: Any) -> str:
        """Publish one task that takes its token first; return its id."""
        self._count += 1
        token = f"{name}{self._count}"
        result = self._tasks[name].delay(token, *arguments)
        self.jobs.append(Job(token, result.id, token))
        return str(result.id)

    def _quick(self) -> None:
        self.publish_one("quick", self._chance.uniform(0.005, 0.05))

    def _flaky(self) -> None:
        self.publish_one("flaky", self._chance.randint(1, 3))

    def _long(self) -> None:
        self.publish_one("quick", 1.0)

    def _chain(self) -> None:
        name, step = f"chain{self._count}", self._tasks["step"]
        result = chain(step.s(0, f"{name}/1"), step.s(f"{name}/2"), step.s(f"{name}/3")).apply_async()
        ids = [result.parent.parent.id, result.parent.id, result.id]
        before: tuple[str, ...] = ()
        for number, task_id in enumerate(ids, 1):
            self.jobs.append(Job(f"{name}/{number}", task_id, number, before))
            before = (task_id,)

    def _link(self) -> None:
        """Every other callback gets its id from the worker."""
        name = f"link{self._count}"
        known = uuid() if self._count % 2 else None
        callback = self._tasks["noted"].s(f"{name}/noted")
        if known:
            callback = callback.set(task_id=known)
        result = self._tasks["quick"].apply_async((name, 0.01), link=callback)
        self.jobs.append(Job(name, result.id, name))
        self.jobs.append(Job(f"{name}/noted", known, f"{name}/noted after {name}", (result.id,)))

    def _chord(self) -> None:
        name, part = f"chord{self._count}", self._tasks["part"]
        tokens = [f"{name}/{number}" for number in range(PARTS)]
        header = [part.s(token, number) for number, token in enumerate(tokens)]
        result = chord(header)(self._tasks["total"].s(f"{name}/total"))
        ids = [member.id for member in result.parent.results]
        self.jobs += [
            Job(token, task_id, number) for number, (token, task_id) in enumerate(zip(tokens, ids, strict=True))
        ]
        self.jobs.append(Job(f"{name}/total", result.id, sum(range(PARTS)), tuple(ids)))
