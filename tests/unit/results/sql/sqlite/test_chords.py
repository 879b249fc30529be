"""A chord's parts are a set, and its counters agree with it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umbel.clock import ManualClock
from umbel.results.records import ChordPart, ChordProgress, ChordState
from umbel.results.sql.sqlite import SqliteChords, SqliteResults, open_database


def part(task_id, status="SUCCESS", *, position=0, result="1", expires_at=None):
    return ChordPart("g", task_id, position, status, result, callback=None, expires_at=expires_at)


def test_the_last_part_calls_for_action_and_so_does_a_repeat_of_any_part(results, chords):
    chords.open("g", None, None, afresh=True)
    chords.resize("g", 2, None)
    first, second = part("a"), part("b")

    assert results.write([], [first]) == []
    assert results.write([], [first]) == [], "a repeat is no second part"
    assert results.write([], [second]) == [second]
    assert results.write([], [first]) == [first], "nobody has settled it yet"


def test_parts_may_return_before_the_size_is_known(results, chords):
    assert results.write([], [part("a")]) == []
    chords.resize("g", 2, None)

    assert results.write([], [last := part("b")]) == [last]


def test_a_settled_chord_ignores_repeats_and_keeps_no_parts(results, chords):
    chords.resize("g", 1, None)
    results.write([], [part("a")])
    chords.settle("g", ChordState.DONE, None)

    assert results.write([], [part("a")]) == []
    assert list(chords.members("g")) == []


def test_a_failed_chord_waits_for_the_success_of_every_failed_part(results, chords):
    chords.resize("g", 3, None)
    results.write([], [part("a", "FAILURE"), part("b", "REVOKED", position=1), part("c", position=2)])
    chords.settle("g", ChordState.FAILED, None)

    assert results.write([], [part("a", "FAILURE")]) == []
    assert results.write([], [part("a")]) == []
    assert results.write([], [last := part("b", position=1)]) == [last]
    assert [member.status for member in chords.members("g")] == ["SUCCESS"] * 3


def test_a_success_is_not_undone_by_a_late_failure(results, chords):
    chords.resize("g", 1, None)
    results.write([], [part("a")])
    results.write([], [part("a", "FAILURE")])

    assert chords.progress("g") == ChordProgress(1, 0, 1, 0, ChordState.OPEN)


def test_one_task_id_at_two_positions_is_two_parts(results, chords):
    chords.resize("g", 2, None)
    results.write([], [part("a", position=0)])

    assert len(results.write([], [part("a", position=1)])) == 1


def test_members_come_in_the_order_of_the_header_and_those_without_a_place_last(results, chords):
    results.write([], [part("x", position=None), part("c", position=2), part("a", position=0), part("b", position=1)])

    assert [member.task_id for member in chords.members("g")] == ["a", "b", "c", "x"]


def test_added_parts_are_waited_for_and_adding_one_again_changes_nothing(results, chords):
    chords.resize("g", 1, None)
    chords.extend("g", ["x", "y"], None)
    chords.extend("g", ["x"], None)
    results.write([], [part("a")])
    assert results.write([], [part("x", position=None)]) == []

    assert len(results.write([], [part("y", position=None)])) == 1


def test_opening_afresh_forgets_the_earlier_run_and_opening_again_does_not(results, chords):
    chords.open("g", "[1]", None, afresh=True)
    chords.resize("g", 2, None)
    results.write([], [part("a")])
    chords.open("g", "[2]", None, afresh=False)
    assert chords.progress("g").returned == 1
    assert chords.structure("g") == "[1]"
    chords.open("g", "[2]", None, afresh=True)

    assert chords.progress("g") == ChordProgress(None, 0, 0, 0, ChordState.OPEN)
    assert chords.structure("g") == "[2]"
    assert list(chords.members("g")) == []


def test_an_unknown_chord_has_no_progress(chords):
    assert chords.progress("nobody") is None
    assert chords.structure("nobody") is None


def test_every_part_prolongs_the_chords_life_and_an_expired_chord_goes_with_its_parts(results, chords, clock, database):
    chords.open("g", None, clock.now() + 10, afresh=True)
    clock.advance(9)
    results.write([], [part("a", expires_at=clock.now() + 10)])
    clock.advance(9)
    results.prune(10)
    assert chords.progress("g").returned == 1
    clock.advance(1)
    results.prune(10)

    assert chords.progress("g") is None
    assert database.fetch("SELECT count(*) FROM umbel_chord_members") == [(0,)]


def test_a_result_and_its_part_are_stored_together_or_not_at_all(results, chords, database):
    chords.resize("g", 1, None)
    with database.write() as connection:
        connection.execute(
            "CREATE TRIGGER no BEFORE INSERT ON umbel_chord_members BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    from umbel.errors import StorageError
    from umbel.results.records import ResultRow

    with pytest.raises(StorageError):
        results.write([ResultRow("a", "SUCCESS", "1", None, None, None, None, None, 0.0, None)], [part("a")])

    assert results.read(["a"]) == {}


def test_threads_that_return_the_same_parts_at_once_count_each_once(results, chords):
    chords.resize("g", 50, None)
    barrier = threading.Barrier(8)

    def return_all():
        barrier.wait(10)
        for number in range(50):
            results.write([], [part(str(number), position=number)])

    threads = [threading.Thread(target=return_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert chords.progress("g") == ChordProgress(50, 0, 50, 0, ChordState.OPEN)
    assert len(chords.members("g")) == 50


RETURNS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["SUCCESS", "FAILURE"])), max_size=25)


@settings(max_examples=60)
@given(RETURNS)
def test_counters_always_agree_with_the_set(tmp_path_factory, returns):
    database = open_database(tmp_path_factory.mktemp("chords") / "results.db")
    try:
        chords = SqliteChords(database)
        results = SqliteResults(database, chords, clock=ManualClock())
        chords.resize("g", 4, None)
        best = {}
        for number, status in returns:
            ripe = results.write([], [part(str(number), status, position=number)])
            best[number] = "SUCCESS" if "SUCCESS" in (status, best.get(number)) else "FAILURE"
            assert bool(ripe) == (len(best) == 4)
        failed = sum(status == "FAILURE" for status in best.values())
        assert chords.progress("g") == ChordProgress(4, 0, len(best), failed, ChordState.OPEN)
        assert {int(member.task_id): member.status for member in chords.members("g")} == best
    finally:
        database.close()
