from __future__ import annotations

import re
from dataclasses import fields

import pytest

from umbel import events
from umbel.events import Event, MessageParked, ShardStarted, SubscriberFailed, WorkerStopped, emit, subscribe

PARKED = MessageParked(queue="bulk", task="shop.new", task_id="t1")


def test_a_subscriber_hears_its_kind_and_no_other() -> None:
    heard: list[Event] = []
    unsubscribe = subscribe(MessageParked, heard.append)
    try:
        emit(PARKED)
        emit(ShardStarted(shard="s1", pid=1))
    finally:
        unsubscribe()
    assert heard == [PARKED]


def test_a_subscriber_to_the_root_hears_everything(heard: list[Event]) -> None:
    emit(PARKED)
    emit(WorkerStopped(worker="w", exit_code=0))
    assert [event.name for event in heard] == ["message.parked", "worker.stopped"]


def test_one_who_unsubscribed_hears_nothing_more_and_may_do_it_twice() -> None:
    heard: list[Event] = []
    unsubscribe = subscribe(MessageParked, heard.append)
    unsubscribe()
    unsubscribe()
    emit(PARKED)
    assert heard == []


def test_a_subscriber_that_raises_harms_nobody_and_is_reported(heard: list[Event]) -> None:
    def broken(event: MessageParked) -> None:
        raise ValueError(event.queue)

    unsubscribe = subscribe(MessageParked, broken)
    try:
        emit(PARKED)
    finally:
        unsubscribe()
    assert PARKED in heard
    assert SubscriberFailed(event="message.parked", problem="ValueError('bulk')") in heard


def test_a_broken_listener_of_failures_cannot_loop(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_event: Event) -> None:
        raise ValueError("always")

    unsubscribe = subscribe(Event, broken)
    try:
        emit(PARKED)
    finally:
        unsubscribe()
    assert "ValueError: always" in capsys.readouterr().err


def test_a_subscriber_may_unsubscribe_while_it_is_called() -> None:
    calls: list[Event] = []

    def once(event: MessageParked) -> None:
        calls.append(event)
        unsubscribe()

    unsubscribe = subscribe(MessageParked, once)
    emit(PARKED)
    emit(PARKED)
    assert calls == [PARKED]


def test_fields_are_by_name_and_without_the_event_name() -> None:
    assert PARKED.fields() == {"queue": "bulk", "task": "shop.new", "task_id": "t1"}


def test_the_catalogue_lists_every_event_once_by_name() -> None:
    names = [kind.name for kind in events.catalogue() if kind.__module__ == events.__name__]
    assert names == sorted(set(names))
    assert {kind.__name__ for kind in events.catalogue() if kind.__module__ == events.__name__} == {
        name for name in events.__all__ if name not in {"Event", "catalogue", "emit", "subscribe"}
    }


@pytest.mark.parametrize("kind", events.catalogue(), ids=lambda kind: kind.name)
class TestEveryEvent:
    def test_has_a_dotted_name_a_docstring_and_typed_fields(self, kind: type[Event]) -> None:
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.name)
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}(")
        assert all(item.type for item in fields(kind))
