"""The tasks of the pipeline. Every one may run twice, and none counts twice.

`ingest`, `examine` and `measure` are the bulk. Whatever decides how the run goes on, and whatever
somebody waits for, is critical: it has its own queue, and no backlog of measurements delays it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from celery import chord

from umbel import PermanentError, Retry, Task, TemporaryError
from umbel.demo.app import BULK, CRITICAL, FLIGHTS, app, warehouse
from umbel.demo.register import MAX_REFUSALS, look_up
from umbel.demo.source import Block, read_block
from umbel.demo.tally import Tally, TallyRow

__all__ = [
    "FLIGHTS_PER_TASK",
    "aggregate",
    "analyse",
    "count",
    "examine",
    "identify",
    "ingest",
    "measure",
    "status",
    "survey",
    "total",
]

FLIGHTS_PER_TASK = 9
"""Small pieces, so that a crash repeats little and the run shows what a task costs."""

_GLANCE = 40
"""How much of a long result Celery renders for its log, message or not: a third of the worker's time at 1 024."""

_REGISTER_RETRY = Retry(
    on=(TemporaryError,),
    attempts=MAX_REFUSALS + 2,
    backoff=timedelta(seconds=0.25),
    max_delay=timedelta(seconds=2),
    jitter=0.5,
)


@app.task(bind=True, queue=BULK)
def ingest(self: Task, first_row: int, offset: int, size: int) -> int:
    """Stage one block of the file; hand on every incomplete row by itself."""
    flights = read_block(FLIGHTS, Block(first_row, offset, size))
    with warehouse.execution(self.request) as effects:
        effects.stage(flights)
    _examine_each(flight.row for flight in flights if not flight.complete)
    return len(flights)


@app.task(bind=True, queue=BULK, ignore_result=True, throws=(PermanentError,))
def examine(self: Task, row: int) -> None:
    """Say why one suspicious row cannot be counted. It fails alone, and is kept alone as a dead letter."""
    with warehouse.execution(self.request):
        flight = warehouse.flight(row)
        facts: dict[str, Any] = {"row": row, "carrier": flight.carrier, "tailnum": flight.tailnum}
        if flight.dep_delay is None:
            raise PermanentError("the flight was cancelled: no times", error_code="FLIGHT_CANCELLED", **facts)
        if flight.arr_delay is None:
            raise PermanentError("the flight was diverted: no arrival", error_code="FLIGHT_DIVERTED", **facts)
        if warehouse.model(flight.tailnum) is None:
            raise PermanentError("no register knows the aircraft", error_code="AIRCRAFT_UNKNOWN", **facts)


@app.task(bind=True, queue=CRITICAL, retry=_REGISTER_RETRY)
def identify(self: Task, tailnum: str, address: str) -> bool:
    """Ask the register, which is down now and then, for one aircraft."""
    with warehouse.execution(self.request) as effects:
        model = look_up(address, tailnum)
        effects.aircraft(tailnum, model)
    if model is None:
        _examine_each(warehouse.rows_of_aircraft(tailnum))
    return model is not None


@app.task(bind=True, queue=CRITICAL)
def count(self: Task, parts: Sequence[int]) -> int:
    """End a stage: how many rows, or aircraft, its tasks have dealt with."""
    with warehouse.execution(self.request):
        return sum(parts)


@app.task(bind=True, queue=CRITICAL)
def analyse(self: Task, carrier: str) -> object:
    """Become the carrier's group: one survey per month, with the carrier's total as the chord's body."""
    with warehouse.execution(self.request):
        months = warehouse.months(carrier)
    return self.replace(chord([survey.s(carrier, month) for month in months], total.s()))


@app.task(bind=True, queue=BULK)
def survey(self: Task, carrier: str, month: int) -> object:
    """Become the measurements of one month. Nobody plans for long: a slot that plans does nothing else."""
    with warehouse.execution(self.request):
        rows = warehouse.rows_of_month(carrier, month)
        pieces = [rows[start : start + FLIGHTS_PER_TASK] for start in range(0, len(rows), FLIGHTS_PER_TASK)]
    return self.replace(chord([measure.s(carrier, month, piece[0], piece[-1]) for piece in pieces], total.s()))


@app.task(bind=True, queue=BULK, resultrepr_maxsize=_GLANCE)
def measure(self: Task, carrier: str, month: int, first: int, last: int) -> list[TallyRow]:
    """Tally the delays of one piece of a carrier's flights."""
    with warehouse.execution(self.request) as effects:
        tally = Tally()
        flights = warehouse.countable(carrier, month, first, last)
        for origin, dest, dep_delay, arr_delay in flights:
            tally.add(month=month, origin=origin, dest=dest, dep_delay=dep_delay, arr_delay=arr_delay)
        effects.measurement(carrier, first, len(flights), tally)
    return tally.rows()


@app.task(bind=True, queue=CRITICAL, resultrepr_maxsize=_GLANCE)
def total(self: Task, parts: Sequence[Sequence[TallyRow]]) -> list[TallyRow]:
    """Add up one month, or one carrier."""
    with warehouse.execution(self.request):
        return _sum(parts).rows()


@app.task(bind=True, queue=CRITICAL)
def aggregate(self: Task, carriers: Sequence[Sequence[TallyRow]]) -> int:
    """Add up all carriers: the delays per airport and month, which are the result of the run."""
    with warehouse.execution(self.request) as effects:
        tally = _sum(carriers)
        effects.totals(tally)
    return len(tally.rows())


@app.task(bind=True, queue=CRITICAL, ignore_result=True)
def status(self: Task, carrier: str) -> int:
    """Answer somebody who waits: how many of the carrier's flights are measured by now?"""
    with warehouse.execution(self.request):
        return warehouse.measured(carrier)


def _examine_each(rows: Iterable[int]) -> None:
    """Publish one examination per row, all in one transaction. The ids name the rows: a repeat is the same
    task again.
    """
    with app.producer_or_acquire() as producer, producer.batch():
        for row in rows:
            examine.apply_async((row,), task_id=f"row-{row}", producer=producer)


def _sum(parts: Iterable[Sequence[TallyRow]]) -> Tally:
    tally = Tally()
    for rows in parts:
        tally.merge(rows)
    return tally
