"""An execution leaves its effects and its line in the ledger, or neither; a repeat changes no total."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace

import pytest

from umbel.demo.ledger import Ledger
from umbel.demo.source import Flight
from umbel.demo.tally import Tally
from umbel.demo.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path):
    found = Warehouse(tmp_path / "warehouse.db")
    found.create()
    with contextlib.closing(found.connection):
        yield found


@pytest.fixture
def ledger(warehouse):
    with contextlib.closing(Ledger(warehouse.path)) as found:
        yield found


def request(task="umbel.demo.tasks.measure", task_id="one", *, retries=0, redelivered=False):
    return SimpleNamespace(task=task, id=task_id, retries=retries, delivery_info={"redelivered": redelivered})


def flight(row, *, carrier="UA", tailnum="N1", dep_delay=1, arr_delay=2):
    return Flight(row, carrier, 1, "JFK", "MIA", tailnum, dep_delay, arr_delay)


def one_flight():
    tally = Tally()
    tally.add(month=1, origin="JFK", dest="MIA", dep_delay=1, arr_delay=2)
    return tally


def test_a_task_that_runs_twice_counts_once_and_both_runs_are_in_the_ledger(warehouse, ledger):
    ledger.watch({"one"})
    for redelivered in (False, True):
        with warehouse.execution(request(redelivered=redelivered)) as effects:
            effects.measurement("UA", 0, 1, one_flight())
    assert warehouse.measured("UA") == warehouse.pieces() == 1
    assert warehouse.measurement_tally().rows() == one_flight().rows()
    counts = ledger.update()
    assert counts.executions == 2
    assert counts.recovered == {"one"}


def test_a_failed_execution_leaves_its_error_in_the_ledger_and_no_effect(warehouse, ledger):
    def fail():
        with warehouse.execution(request(retries=2)) as effects:
            effects.measurement("UA", 0, 1, one_flight())
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert warehouse.measured("UA") == 0
    counts = ledger.update()
    assert counts.failures == {"ValueError": 1}
    assert counts.retries == 1


def test_the_ledger_reads_every_line_once(warehouse, ledger):
    with warehouse.execution(request()):
        pass
    assert ledger.update().executions == 1
    assert ledger.update().executions == 1
    with warehouse.execution(request()):
        pass
    assert ledger.update().done("measure") == 2


def test_only_clean_flights_are_countable(warehouse):
    rows = [
        flight(0),
        flight(1, dep_delay=None, arr_delay=None),
        flight(2, arr_delay=None),
        flight(3, tailnum="N-UNKNOWN"),
        flight(4, tailnum=None),
        flight(5, carrier="AA", tailnum="N-FLEET"),
    ]
    with warehouse.execution(request()) as effects:
        effects.stage(rows)
        effects.aircraft("N1", "BOEING")
        effects.aircraft("N-UNKNOWN", None)
    assert warehouse.countable("UA", 1, 0, 9) == [("JFK", "MIA", 1, 2)]
    assert warehouse.countable("AA", 1, 0, 9) == [("JFK", "MIA", 1, 2)]
    assert warehouse.countable("UA", 2, 0, 9) == []
    assert warehouse.tailnums() == ["N-UNKNOWN", "N1"]
    assert warehouse.rows_of_aircraft("N-UNKNOWN") == [3]


def test_threads_write_at_the_same_time_without_losing_a_line(warehouse, ledger):
    def work(number):
        for piece in range(25):
            with warehouse.execution(request(task_id=f"{number}-{piece}")) as effects:
                effects.measurement(f"C{number}", piece, 1, one_flight())
        warehouse.connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.update().executions == 100
    assert warehouse.measurement_tally().rows() == [("JFK", 1, 100, 100, 0, 0), ("MIA", 1, 0, 0, 100, 200)]
