"""The suite and the model have teeth: a store that breaks a promise fails both."""

from __future__ import annotations

import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from umbel.clock import ManualClock
from umbel.testing.contract import (
    ClaimingContract,
    PublishingContract,
    ReapingContract,
    SettlingContract,
    store_machine,
)
from umbel.transports.base import ClaimBatch
from umbel.transports.memory import MemoryStore
from umbel.transports.sqlite import SqliteStore

ENOUGH = settings(
    max_examples=200, stateful_step_count=40, deadline=None, database=None, derandomize=True, phases=[Phase.generate]
)


class FencelessSqlite(SqliteStore):
    """Settles by the message alone, as a bare XACK does: whoever comes late wins."""

    def ack(self, receipts):
        with self._db.write() as connection:
            for receipt in receipts:
                number = receipt.partition(".")[0]
                connection.execute("DELETE FROM messages WHERE id = ?", (number,))
                connection.execute("DELETE FROM envelopes WHERE id = ?", (number,))
        return []


class FencelessMemory(MemoryStore):
    def ack(self, receipts):
        with self._state.lock:
            for receipt in receipts:
                number = receipt.partition(".")[0]
                message = self._state.messages.get(int(number)) if number.isdecimal() else None
                if message is not None:
                    self._state.drop(message)
        return []


class ForgetfulAck:
    """Says that it acked and does nothing."""

    def ack(self, receipts):
        assert receipts is not None
        return []


class LostOnReap:
    """Drops what a dead consumer held instead of giving it back."""

    def reap(self, consumer, **options):
        reaped = super().reap(consumer, **options)
        for task_id in (*reaped.released, *reaped.suspects, *reaped.crashed, *reaped.verdicts):
            self.cancel(task_id)
        return reaped


class LastComeFirst:
    """Turns the order of a claim round."""

    def claim(self, queue, consumer, limit, **options):
        batch = super().claim(queue, consumer, limit, **options)
        return ClaimBatch(tuple(reversed(batch.claims)), batch.next_due)


class NoDedup:
    """Stores a repeat."""

    def publish(self, queue, envelopes):
        return super().publish(queue, [replace(item, dedup=None) for item in envelopes])


def make(flaw, base):
    return type(f"{flaw.__name__}{base.__name__}", (flaw, base), {})


BROKEN_MEMORY = [
    FencelessMemory,
    *(make(flaw, MemoryStore) for flaw in (ForgetfulAck, LostOnReap, LastComeFirst, NoDedup)),
]
BROKEN_SQLITE = [
    FencelessSqlite,
    *(make(flaw, SqliteStore) for flaw in (ForgetfulAck, LostOnReap, LastComeFirst, NoDedup)),
]


@contextmanager
def memory_openers(kind):
    name = uuid.uuid4().hex
    yield lambda clock, host: kind(name, clock=clock, options={"host": host or "here"})


@contextmanager
def sqlite_openers(kind):
    with tempfile.TemporaryDirectory() as folder:
        yield lambda clock, host: kind(Path(folder) / "q.db", clock=clock, options={"host": host or "here"})


@pytest.mark.parametrize("kind", BROKEN_MEMORY)
def test_the_model_catches_a_broken_memory_store(kind):
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(store_machine(lambda: memory_openers(kind)), settings=ENOUGH)


@pytest.mark.parametrize("kind", BROKEN_SQLITE)
def test_the_model_catches_a_broken_sqlite_store(kind):
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(store_machine(lambda: sqlite_openers(kind)), settings=ENOUGH)


@pytest.fixture
def handles():
    """A function that makes the opener of a broken kind; all handles are closed at the end."""
    opened = []
    with tempfile.TemporaryDirectory() as folder:
        name = uuid.uuid4().hex

        def handles(kind):
            def open_handle(host=None):
                place = Path(folder) / "q.db" if issubclass(kind, SqliteStore) else name
                opened.append(kind(place, clock=ManualClock(), options={"host": host or "here"}))
                return opened[-1]

            return open_handle

        yield handles
        for store in opened:
            store.close()


def late_ack(store, consumer, open_handle):
    SettlingContract().test_late_settlement_cannot_touch_a_new_claim(store, consumer, open_handle, "ack")


def plain_ack(store, consumer, open_handle):
    del open_handle
    SettlingContract().test_an_acked_message_is_gone(store, consumer)


def reap(store, consumer, open_handle):
    del consumer, open_handle
    ReapingContract().test_everything_held_comes_back_in_its_old_place(store)


def order(store, consumer, open_handle):
    del open_handle
    ClaimingContract().test_order_is_that_of_publishing(store, consumer)


def dedup(store, consumer, open_handle):
    del consumer, open_handle
    PublishingContract().test_a_repeat_of_a_dedup_key_is_dropped(store)


SCENARIOS = (late_ack, plain_ack, reap, order, dedup)


@pytest.mark.parametrize(
    ("kind", "scenario"), [*zip(BROKEN_MEMORY, SCENARIOS, strict=True), *zip(BROKEN_SQLITE, SCENARIOS, strict=True)]
)
def test_the_suite_catches_a_broken_store(handles, kind, scenario):
    open_handle = handles(kind)
    store = open_handle()
    with pytest.raises(AssertionError):
        scenario(store, store.register("s@here", lease=15.0), open_handle)


@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_scenarios_pass_on_a_whole_store(handles, kind, scenario):
    open_handle = handles(kind)
    store = open_handle()
    scenario(store, store.register("s@here", lease=15.0), open_handle)
