"""The base class of Umbel's tasks.

It is Celery's, with another request class (dead letters, verdicts) and typed declared options. What
happens around a body is wrapped around each task by :mod:`umbel.execution`, not inherited, so that
tasks of any other base class have it too.
"""

from __future__ import annotations

from typing import Any

import celery

from umbel.tasks.ids import new_task_id
from umbel.tasks.options import Declared

__all__ = ["REQUEST", "Task"]

REQUEST = "umbel.worker.request:Request"
"""Where Celery finds the request class; it belongs to the worker, so producers never import it."""


class Task(celery.Task):
    """A task of an Umbel app. Subclass it as you would Celery's ``Task``.

    ``declared`` holds the declared options; ``dead_letter`` set to False in a class keeps failed
    messages of its tasks out of the dead letters.
    """

    Request = REQUEST
    declared: Declared = Declared()
    dead_letter: bool | None = None

    def apply_async(
        self,
        args: Any = None,  # noqa: ANN401 - Celery's signature
        kwargs: Any = None,  # noqa: ANN401 - as above
        task_id: str | None = None,
        *rest: Any,  # noqa: ANN401 - as above
        **options: Any,  # noqa: ANN401 - as above
    ) -> Any:  # noqa: ANN401 - as above
        """Publish the task, as Celery does; an id that is not given is one that sorts by time."""
        return super().apply_async(args, kwargs, task_id or new_task_id(), *rest, **options)
