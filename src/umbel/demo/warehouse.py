"""What the tasks leave behind: one SQLite file of the demo's own, apart from broker and results.

A task can run twice: its process may die after the work and before the acknowledgement. So every
effect is an upsert under a key that names the work, never the attempt, and it commits together with
one line in ``executions``. Running a body again writes the same row again and changes no total,
while the ledger keeps both runs: that is how the report knows, and does not assume, what ran.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from umbel.demo.source import Flight
from umbel.demo.tally import Tally, TallyRow

__all__ = ["FLEET_NUMBERS", "Effects", "Warehouse"]

FLEET_NUMBERS = ("AA", "MQ")
"""American Airlines and Envoy report fleet numbers where others report tail numbers, so that no register
knows their aircraft (R's nycflights13, ``?planes``). It says nothing about the flight.
"""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS flights (
    row INTEGER PRIMARY KEY, carrier TEXT, month INTEGER, origin TEXT, dest TEXT,
    tailnum TEXT, dep_delay INTEGER, arr_delay INTEGER);
CREATE INDEX IF NOT EXISTS flights_by_carrier ON flights (carrier, month, row);
CREATE INDEX IF NOT EXISTS flights_by_tailnum ON flights (tailnum, row);
CREATE TABLE IF NOT EXISTS aircraft (tailnum TEXT PRIMARY KEY, model TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS measurements (
    carrier TEXT, first INTEGER, flights INTEGER, tally TEXT, PRIMARY KEY (carrier, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (
    airport TEXT, month INTEGER, departures INTEGER, departure_minutes INTEGER,
    arrivals INTEGER, arrival_minutes INTEGER, PRIMARY KEY (airport, month)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executions (
    id INTEGER PRIMARY KEY, task TEXT, task_id TEXT, retries INTEGER, redelivered INTEGER,
    outcome TEXT, pid INTEGER, started REAL);
"""
_COUNTABLE = f"""
    FROM flights LEFT JOIN aircraft USING (tailnum)
    WHERE dep_delay IS NOT NULL AND arr_delay IS NOT NULL
    AND (aircraft.model IS NOT NULL OR carrier IN {FLEET_NUMBERS})
"""
_IMPATIENT_CHECKPOINT = 4000


class Effects:
    """The writes of one execution, collected so that they commit together and briefly."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, Sequence[Sequence[Any]]]] = []

    def stage(self, flights: Iterable[Flight]) -> None:
        """Keep rows of the file."""
        rows = [
            (item.row, item.carrier, item.month, item.origin, item.dest, item.tailnum, item.dep_delay, item.arr_delay)
            for item in flights
        ]
        self.writes.append(("INSERT OR REPLACE INTO flights VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows))

    def aircraft(self, tailnum: str, model: str | None) -> None:
        """Keep what the register said about a tail number; None: it knows no such aircraft."""
        self.writes.append(("INSERT OR REPLACE INTO aircraft VALUES (?, ?)", [(tailnum, model)]))

    def measurement(self, carrier: str, first: int, flights: int, tally: Tally) -> None:
        """Keep the tally of one piece of a carrier's flights."""
        row = (carrier, first, flights, json.dumps(tally.rows()))
        self.writes.append(("INSERT OR REPLACE INTO measurements VALUES (?, ?, ?, ?)", [row]))

    def totals(self, tally: Tally) -> None:
        """Keep the result of the whole analysis."""
        self.writes.append(("INSERT OR REPLACE INTO totals VALUES (?, ?, ?, ?, ?, ?)", tally.rows()))


class Warehouse:
    """The file. Connections are opened late, one per thread, because shards are forked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._writing = threading.Lock()

    @property
    def connection(self) -> sqlite3.Connection:
        """The calling thread's connection."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = _connect(self.path)
        return found

    def create(self) -> None:
        """Make the tables where they are missing."""
        self.connection.executescript(_SCHEMA)

    @contextmanager
    def execution(self, request: Any) -> Iterator[Effects]:  # noqa: ANN401 - Celery's request has no public type
        """Run the block as one execution of a task: its effects and its line in the ledger, or neither.

        When the block raises, its effects are dropped and the ledger keeps the error's name.
        """
        effects, started = Effects(), time.time()
        try:
            yield effects
        except Exception as error:
            self._commit([], _ledger_line(request, type(error).__name__, started))
            raise
        self._commit(effects.writes, _ledger_line(request, "ok", started))

    def flight(self, row: int) -> Flight:
        """Return one staged flight."""
        sql = "SELECT row, carrier, month, origin, dest, tailnum, dep_delay, arr_delay FROM flights WHERE row = ?"
        return Flight(*self.connection.execute(sql, (row,)).fetchone())

    def model(self, tailnum: str | None) -> str | None:
        """Return the aircraft's model; None when it is unknown."""
        found = self.connection.execute("SELECT model FROM aircraft WHERE tailnum = ?", (tailnum,)).fetchone()
        return found[0] if found else None

    def tailnums(self) -> list[str]:
        """Return the tail numbers that ought to be registered, of flights that took place."""
        sql = f"""SELECT DISTINCT tailnum FROM flights WHERE tailnum IS NOT NULL AND dep_delay IS NOT NULL
            AND arr_delay IS NOT NULL AND carrier NOT IN {FLEET_NUMBERS} ORDER BY tailnum"""  # noqa: S608 - constants
        return [tailnum for (tailnum,) in self.connection.execute(sql)]

    def rows_of_aircraft(self, tailnum: str) -> list[int]:
        """Return the rows of the flights that took place with this aircraft, fleet numbers aside."""
        sql = f"""SELECT row FROM flights WHERE tailnum = ? AND dep_delay IS NOT NULL AND arr_delay IS NOT NULL
            AND carrier NOT IN {FLEET_NUMBERS}"""  # noqa: S608 - constants
        return [row for (row,) in self.connection.execute(sql, (tailnum,))]

    def rows_by_carrier_and_month(self) -> dict[tuple[str, int], int]:
        """Return how many rows each carrier has in each month."""
        sql = "SELECT carrier, month, count(*) FROM flights GROUP BY carrier, month"
        return {(carrier, month): count for carrier, month, count in self.connection.execute(sql)}

    def months(self, carrier: str) -> list[int]:
        """Return the months in which a carrier flew."""
        found = self.connection.execute("SELECT DISTINCT month FROM flights WHERE carrier = ?", (carrier,))
        return [month for (month,) in found]

    def rows_of_month(self, carrier: str, month: int) -> list[int]:
        """Return the rows of one carrier in one month, in order."""
        sql = "SELECT row FROM flights WHERE carrier = ? AND month = ? ORDER BY row"
        return [row for (row,) in self.connection.execute(sql, (carrier, month))]

    def countable(self, carrier: str, month: int, first: int, last: int) -> list[tuple[str, str, int, int]]:
        """Return (origin, dest, dep_delay, arr_delay) of a carrier's clean flights of a month in rows first..last."""
        sql = f"""SELECT origin, dest, dep_delay, arr_delay {_COUNTABLE}
            AND carrier = ? AND month = ? AND row BETWEEN ? AND ?"""
        return self.connection.execute(sql, (carrier, month, first, last)).fetchall()

    def measured(self, carrier: str) -> int:
        """Return how many flights of the carrier are measured so far."""
        sql = "SELECT coalesce(sum(flights), 0) FROM measurements WHERE carrier = ?"
        count: int = self.connection.execute(sql, (carrier,)).fetchone()[0]
        return count

    def pieces(self) -> int:
        """Return how many measurements are stored, each piece once however often it ran."""
        count: int = self.connection.execute("SELECT count(*) FROM measurements").fetchone()[0]
        return count

    def measurement_tally(self) -> Tally:
        """Return the sum over all measurements, whatever the chord's body was given."""
        tally = Tally()
        for (rows,) in self.connection.execute("SELECT tally FROM measurements"):
            tally.merge(json.loads(rows))
        return tally

    def totals(self) -> list[TallyRow]:
        """Return the result that the last step of the pipeline has stored."""
        return self.connection.execute("SELECT * FROM totals ORDER BY airport, month").fetchall()

    def _commit(self, writes: Sequence[tuple[str, Sequence[Sequence[Any]]]], ledger: Sequence[Any]) -> None:
        db = self.connection
        with self._writing:
            db.execute("BEGIN IMMEDIATE")
            with db:
                for sql, rows in writes:
                    db.executemany(sql, rows)
                db.execute("INSERT INTO executions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", ledger)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_IMPATIENT_CHECKPOINT}")
    return db


def _ledger_line(request: Any, outcome: str, started: float) -> tuple[Any, ...]:  # noqa: ANN401 - Celery's request
    redelivered = bool((request.delivery_info or {}).get("redelivered"))
    return (request.task, request.id, request.retries, redelivered, outcome, os.getpid(), started)
