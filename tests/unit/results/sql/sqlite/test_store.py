"""What the results' table lets replace what, and what leaves it."""

from __future__ import annotations

import itertools
import sqlite3

import pytest

from umbel.errors import StorageFullError
from umbel.results.records import ResultRow

FINAL = ("SUCCESS", "FAILURE", "REVOKED")
STATES = (*FINAL, "STARTED", "RETRY", "PROGRESS")


@pytest.fixture
def row(clock):
    def make(task_id, status="SUCCESS", result="1", *, lives=100.0):
        now = clock.now()
        return ResultRow(task_id, status, result, None, None, None, None, None, now, lives and now + lives)

    return make


@pytest.mark.parametrize(("first", "second"), list(itertools.product(STATES, STATES)))
def test_success_wins_and_a_final_state_is_replaced_only_by_a_final_one(results, row, first, second):
    results.write([row("a", first, "old")])
    results.write([row("a", second, "new")])
    replaced = first not in FINAL or (first != "SUCCESS" and second in FINAL)

    found = results.read(["a"])["a"]
    assert (found.status, found.result) == ((second, "new") if replaced else (first, "old"))


def test_the_same_rule_holds_inside_one_batch(results, row):
    results.write([row("a", "STARTED"), row("a", "SUCCESS", "42"), row("a", "FAILURE"), row("a", "RETRY")])

    assert results.read(["a"])["a"].result == "42"


def test_a_row_comes_back_as_it_was_stored(results, clock):
    stored = ResultRow("a", "FAILURE", b"\x00\x01", "Traceback", "[]", "g", "p", '{"name": "x"}', clock.now(), None)
    results.write([stored])

    assert results.read(["a", "missing"]) == {"a": stored}
    assert results.read(["a"]) == {"a": stored}


def test_a_thousand_results_are_read_at_once(results, row):
    results.write([row(str(number)) for number in range(5_000)])

    assert len(results.read([str(number) for number in range(1_000, 6_000)])) == 4_000


def test_what_has_expired_is_not_read_and_can_be_stored_anew(results, row, clock):
    results.write([row("a", "SUCCESS", "old", lives=10), row("b", lives=None)])
    clock.advance(10)
    assert set(results.read(["a", "b"])) == {"b"}
    results.write([row("a", "STARTED", "new", lives=10)])

    assert results.read(["a"])["a"].result == "new"


def test_writes_delete_what_has_expired_a_few_rows_at_a_time(results, row, clock, database):
    results.write([row(str(number), lives=10) for number in range(1_000)])
    clock.advance(11)
    results.write([row("new", lives=None)])
    left = database.fetch("SELECT count(*) FROM umbel_results")[0][0]
    assert left == 901, "one write deletes a bounded number"
    for number in range(20):
        results.write([row(f"new-{number}", lives=None)])

    assert database.fetch("SELECT count(*) FROM umbel_results WHERE expires_at IS NOT NULL") == [(0,)]


def test_under_steady_load_the_file_stops_growing(results, row, clock, tmp_path):
    def second_of_load():
        for batch in range(5):
            results.write([row(f"{clock.now()}-{batch}-{number}", lives=5) for number in range(100)])
        clock.advance(1)

    for _ in range(10):
        second_of_load()
    results._database.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
    settled = (tmp_path / "results.db").stat().st_size
    for _ in range(30):
        second_of_load()
    results._database.fetch("PRAGMA wal_checkpoint(TRUNCATE)")

    assert (tmp_path / "results.db").stat().st_size < settled * 1.5


def test_a_full_prune_counts_what_it_deletes(results, row, clock):
    results.write([row(str(number), lives=10) for number in range(30)])
    results.save_group("g", "[]", clock.now() + 10)
    clock.advance(10)

    assert results.prune(20) == 21
    assert results.prune(20) == 10
    assert results.prune(20) == 0
    assert results.load_group("g") is None


def test_groups_are_kept_replaced_and_deleted(results, clock):
    results.save_group("g", "[1]", None)
    results.save_group("g", "[2]", None)
    assert results.load_group("g") == "[2]"
    results.delete_group("g")
    assert results.load_group("g") is None
    results.save_group("h", "[3]", clock.now() + 1)
    clock.advance(1)

    assert results.load_group("h") is None


def test_a_forgotten_result_is_gone(results, row):
    results.write([row("a")])
    results.forget("a")
    results.forget("a")

    assert results.read(["a"]) == {}


def test_a_batch_that_does_not_fit_stores_nothing(results, row, database):
    results.write([row("first")])
    with database.write() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageFullError):
        results.write([row(str(number), result="x" * 1_000) for number in range(100)])

    assert set(results.read(["first", "0", "99"])) == {"first"}


def test_it_shares_a_file_with_other_tables(tmp_path, results, row):
    results.write([row("a")])
    with sqlite3.connect(tmp_path / "results.db") as foreign:
        foreign.execute("CREATE TABLE results (id)")
    foreign.close()

    assert set(results.read(["a"])) == {"a"}
