"""One run, from the data to the report.

The order: a folder with its configuration, the register, a worker; then the three stages of the
pipeline, one after the other, and in the middle of the third the death of a shard; then the queues
run dry, the worker drains, and what it left behind is compared with the direct computation.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from umbel.demo.folder import QUEUES, isolated, make_folder, write_config
from umbel.demo.ledger import Ledger
from umbel.demo.process import start_worker
from umbel.demo.progress import View, grouped
from umbel.demo.reference import compute
from umbel.demo.register import Register, serve
from umbel.demo.report import Report
from umbel.demo.source import ALL_FLIGHTS, copy_flights, cut, find_data, known_tailnums
from umbel.demo.verdict import Evidence, judge
from umbel.transports.base import DeadLetterFilter
from umbel.transports.registry import open_store

__all__ = ["DemoOptions", "run"]

_FLIGHTS = Path("flights.csv")
_PLOT = Path("delays.png")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What one run is asked to be.

    ``flights`` rows are taken evenly over the year. ``seed`` decides which requests the register
    refuses. ``output`` is an empty folder; None: a new temporary one.
    """

    flights: int = ALL_FLIGHTS
    processes: int = 2
    threads: int = 2
    output: Path | None = None
    chaos: bool = True
    seed: int = 2013


def run(options: DemoOptions, view: View) -> Report:
    """Run the demo and return its report; ``view`` shows how it goes.

    Raises:
        ConfigurationError: the data or matplotlib is not installed.
        DemoError: the folder is not empty, the worker ended, or nothing moves any more.
    """
    data = find_data()
    folder = make_folder(options.output)
    write_config(folder)
    copy_flights(data, folder / _FLIGHTS, flights=options.flights)
    registered = known_tailnums(data)
    with isolated(folder):
        evidence = _collect(options, view, Register(registered, seed=options.seed))
        reference = compute(_FLIGHTS, registered)
        return judge(evidence, reference, folder=folder, plot=folder / _PLOT)


def _collect(options: DemoOptions, view: View, register: Register) -> Evidence:
    # The app reads its configuration where it is imported: in the run's folder.
    from umbel.demo.app import warehouse  # noqa: PLC0415 - as above
    from umbel.demo.course import Course, Site  # noqa: PLC0415 - as above

    warehouse.create()
    shape = {"processes": options.processes, "threads": options.threads}
    with (
        start_worker(Path.cwd(), **shape) as worker,
        serve(register) as address,
        closing(open_store(QUEUES)) as store,
        closing(Ledger(warehouse.path)) as ledger,
    ):
        worker.wait_ready(store, shards=options.processes)
        view.say(_heading(options))
        with view:
            course = Course(Site(store, worker, warehouse, ledger, view), chaos=options.chaos)
            course.complete(cut(_FLIGHTS), address=address)
        exit_code = worker.stop()
        return Evidence(
            counts=ledger.update(),
            kill=course.kill,
            chaos=options.chaos,
            seconds=course.seconds,
            asked=course.asked,
            answered=ledger.started("status"),
            backlog=course.backlog,
            recovered_after=ledger.first_recovery_after(course.kill.at) if course.kill else None,
            unfinished=[name for name in (course.kill.held if course.kill else ()) if not ledger.finished(name)],
            letters=store.list_dead(DeadLetterFilter()),
            pieces=warehouse.pieces(),
            totals=warehouse.totals(),
            measured=warehouse.measurement_tally().rows(),
            register_answered=register.answered,
            register_refused=register.refused,
            exit_code=exit_code,
        )


def _heading(options: DemoOptions) -> str:
    shape = f"{options.processes} shards of {options.threads} threads"
    return f"{grouped(options.flights)} flights, {shape}, in {Path.cwd()}"
