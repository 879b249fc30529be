"""A slot runs bodies under their limits, whatever happens at the very end of one."""

import sys
import threading

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from umbel.transports.runtable import RunTable
from umbel.worker.slots import Slot
from umbel.worker.soft_limits import SoftLimit

FAR = 1e12


@pytest.fixture
def table(tmp_path):
    made = RunTable.create(tmp_path / "1.run", 1)
    yield made
    made.remove()


def traced(slot, tracer):
    return slot.trace("id", soft=60.0, hard=None, tracer=tracer, arguments=(), on_soft=None)


def in_a_slots_thread(slot, work):
    """Return what the work returned in a thread that is no main thread, or what it raised."""
    outcome = []

    def run():
        slot.limit.bind()
        try:
            outcome.append(work())
        except BaseException as problem:  # noqa: BLE001 - handed to the test
            outcome.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return outcome[0]


def test_a_soft_limit_that_strikes_when_the_body_has_just_ended_changes_nothing(table):
    slot = Slot(0, table, (0.0, 0.0))
    struck = []

    def strike(frame, event, _argument):
        if event == "call" and frame.f_code is SoftLimit.disarm.__code__ and not struck:
            struck.append(True)
            slot.limit.check(FAR)

    def work():
        sys.setprofile(strike)
        try:
            return traced(slot, lambda: "outcome")
        finally:
            sys.setprofile(None)

    assert in_a_slots_thread(slot, work) == "outcome"
    assert struck
    assert table.running() == []
    assert in_a_slots_thread(slot, lambda: traced(slot, lambda: sum(range(1000)))) == 499500


def test_a_soft_limit_that_strikes_in_the_body_interrupts_it(table):
    slot = Slot(0, table, (0.0, 0.0))

    def body():
        slot.limit.check(FAR)
        return sum(range(1000))

    assert isinstance(in_a_slots_thread(slot, lambda: traced(slot, body)), SoftTimeLimitExceeded)
    assert table.running() == []
