"""Ids for what follows a task, so that a repeat of the task publishes nothing twice.

A task that died between publishing what follows it and its own ack runs again, and so may a process
that was declared dead and was only slow. Callbacks, errbacks and steps of a chain therefore carry ids
that are computed from their parent; the second message with the same id is dropped by the broker.

What the id is made of, and why: the parent's id; its replay number, because a replay is meant to publish
again; whether the parent succeeded or failed, because an errback is not the callback; the place of the
signature in its list, because two callbacks may be alike. Not the retry number: when attempt 0 was
repeated after attempt 1 had already been published, both may end, and what follows must start once.

Ids that a signature has already (a frozen chain, a chord's body) stay. What follows a replay carries
its parent's replay number, so that ids which were used before the replay are not taken for repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any
from uuid import UUID, uuid5

from umbel.message import HEADER_REPLAY

__all__ = ["identify_callbacks", "identify_errbacks", "replay_of"]

_NAMESPACE = UUID("8d2a4f5e-52c5-5f0e-9d8e-1f5d2f7f7b3a")
"""Ours; any fixed value will do, and a change of it makes repeats over an upgrade unrecognizable."""

Signature = MutableMapping[str, Any]


def identify_callbacks(request: Any) -> None:  # noqa: ANN401 - Celery's Context
    """Give ids to what will be published because the task has succeeded: its links, its chain's next step."""
    _identify_all(request, request.callbacks, "link")
    if request.chain:
        _identify_all(request, request.chain[-1:], "chain")


def identify_errbacks(request: Any) -> None:  # noqa: ANN401 - Celery's Context
    """Give ids to what will be published because the task has failed for good."""
    _identify_all(request, request.errbacks, "link_error")


def replay_of(request: Any) -> int:  # noqa: ANN401 - Celery's Context
    """Return how often the task has been replayed from the dead letters."""
    number = getattr(request, HEADER_REPLAY, 0)
    return number if isinstance(number, int) else 0


def _identify_all(request: Any, signatures: Any, kind: str) -> None:  # noqa: ANN401 - Celery's Context and lists
    if not signatures:
        return
    replay = replay_of(request)
    seed = f"{request.id}:{replay}:{kind}"
    listed = [signatures] if isinstance(signatures, MutableMapping) else signatures
    for place, signature in enumerate(listed):
        _identify(signature, f"{seed}:{place}", replay)


def _identify(signature: Signature, seed: str, replay: int) -> None:
    options = signature.get("options")
    if not isinstance(options, MutableMapping):
        options = signature["options"] = {}
    parts = list(_parts(signature))
    for name, part in parts:
        _identify(part, f"{seed}/{name}", replay)
    if signature.get("subtask_type") != "chain":
        options.setdefault("task_id", str(uuid5(_NAMESPACE, seed)))
    if replay and not parts:
        options["headers"] = {**(options.get("headers") or {}), HEADER_REPLAY: replay}


def _parts(signature: Signature) -> Iterator[tuple[str, Signature]]:
    """The signatures inside a group, a chain or a chord; each is published by itself. A chain as such
    is not: its id is that of its last step.
    """
    if not signature.get("subtask_type"):
        return
    inner = signature.get("kwargs") or {}
    for name in ("tasks", "header", "body"):
        found = inner.get(name)
        if isinstance(found, MutableMapping):
            yield name, found
        elif isinstance(found, (list, tuple)):
            parts = ((f"{name}/{place}", part) for place, part in enumerate(found))
            yield from ((place, part) for place, part in parts if isinstance(part, MutableMapping))
