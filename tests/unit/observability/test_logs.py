"""Events become log lines that a person can read and a machine can split."""

from __future__ import annotations

import logging

import pytest

from umbel import events
from umbel.observability import log_events


@pytest.fixture
def _logged() -> object:
    stop = log_events()
    yield
    stop()


@pytest.mark.usefixtures("_logged")
def test_an_event_is_one_line_with_its_name_and_its_filled_fields(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="umbel"):
        events.emit(events.WorkerReady(worker="w@h", shards=2, queues=("critical", "bulk")))
    assert caplog.messages == ["worker.ready worker=w@h shards=2 queues=critical,bulk"]


@pytest.mark.usefixtures("_logged")
def test_a_value_with_spaces_is_quoted_and_an_empty_one_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="umbel"):
        events.emit(events.ShardExited(shard="s-1@h", pid=7, cause="killed by SIGKILL", running=()))
    assert caplog.messages == ["shard.exited shard=s-1@h pid=7 cause='killed by SIGKILL'"]


@pytest.mark.usefixtures("_logged")
@pytest.mark.parametrize(("cause", "level"), [("new code", logging.INFO), ("killed by SIGSEGV", logging.WARNING)])
def test_a_shard_that_leaves_as_planned_is_no_warning(caplog: pytest.LogCaptureFixture, cause: str, level: int) -> None:
    with caplog.at_level(logging.INFO, logger="umbel"):
        events.emit(events.ShardExited(shard="s-1@h", pid=7, cause=cause, running=()))
    assert [record.levelno for record in caplog.records] == [level]
