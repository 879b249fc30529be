"""Task ids are UUIDs of version 7."""

from __future__ import annotations

import time
from uuid import UUID

from umbel.tasks.ids import new_task_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    found = UUID(new_task_id())
    assert (found.version, str(found.variant)) == (7, "specified in RFC 4122")


def test_ids_of_later_milliseconds_sort_later() -> None:
    earlier = new_task_id()
    before = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == before:
        pass
    assert earlier < new_task_id()


def test_an_id_begins_with_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    found = int(new_task_id().replace("-", "")[:12], 16)
    assert before <= found <= time.time_ns() // 1_000_000


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_task_id() for _ in range(10_000)}) == 10_000
