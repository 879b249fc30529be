"""Groups and chords on Celery's pools and on Umbel's worker, with broker and results in one SQLite file."""

from __future__ import annotations

import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError

TIMEOUT = 30
POOLS = ["threads", "prefork", "umbel"]


@pytest.fixture(params=POOLS)
def worker(request, canvas, start_worker):
    return start_worker(request.param)


def shapes(canvas):
    """Every shape of canvas that ends well, and what it ends with."""
    add, total, same = canvas.add, canvas.total, canvas.same
    three = [add.s(number, number) for number in range(3)]
    return {
        "a group": (group(three), [0, 2, 4]),
        "a chord": (chord(three, total.s()), 6),
        "a chord over a generator": (chord((add.s(number, number) for number in range(3)), total.s()), 6),
        "a chord of one": (chord([add.s(1, 1)], total.s()), 2),
        "an empty header": (chord([], total.s()), 0),
        "parts that ignore their results": (chord([canvas.add_ignored.s(1, 1), add.s(2, 2)], same.s()), [2, 4]),
        "a group in the middle of a chain": (chain(add.s(1, 1), group(add.s(i) for i in range(3)), total.s()), 9),
        "a chord in a header": (chord([chord(three, total.s()), add.s(5, 5)], same.s()), [6, 10]),
        "chords three deep": (chord([chord([chord(three, total.s())], total.s())], total.s()), 6),
        "a group in a header": (chord([group(add.s(1, 1), add.s(2, 2)), add.s(5, 5)], total.s()), 16),
        "a chain in a header": (chord([chain(add.s(1, 1), add.s(2)), add.s(5, 5)], same.s()), [4, 10]),
        "a chain that ends in a group, in a header": (
            chord([chain(add.s(1, 1), group(add.s(2), add.s(3))), add.s(5, 5)], same.s()),
            [[4, 5], 10],
        ),
        "a body that is a chord": (chord(three, chord([same.s(), same.s()], total.s())), 12),
        "a body that is a chain": (chord(three, chain(total.s(), add.s(4))), 10),
        "a body that is a group": (chord(three, group(total.s(), same.s())), [6, [0, 2, 4]]),
        "a chord that grows": (chord([canvas.grow.s(1), add.s(2)], total.s()), 1 + 101 + 2),
        "a part that is replaced by a group": (chord([canvas.become_group.s(1), add.s(5)], same.s()), [[2, 3], 5]),
    }


def failures(canvas):
    """Every shape of canvas that fails in a header, and how often the failure is passed on."""
    add, fail, total, same = canvas.add, canvas.fail, canvas.total, canvas.same
    broken = [add.s(1, 1), fail.s()]
    return {
        "a part": (chord(broken, total.s()), 1),
        "all parts": (chord([fail.s(), fail.s()], total.s()), 1),
        "a part that cannot be stored": (chord([add.s(1, 1), canvas.unstorable.s()], total.s()), 1),
        "a step of a chain in a header": (chord([chain(fail.s(), add.s(2)), add.s(5, 5)], total.s()), 1),
        "a chord in a header": (chord([chord(broken, total.s()), add.s(5, 5)], total.s()), 2),
        "a chord with a chain as body, in a header": (
            chord([chord(broken, chain(total.s(), add.s(4))), add.s(5, 5)], total.s()),
            2,
        ),
        "a chord with a chord as body, in a header": (
            chord([chord(broken, chord([same.s()], same.s())), add.s(5, 5)], total.s()),
            2,
        ),
        "a step before a group, in a header": (
            chord([chain(fail.s(), group(add.s(i) for i in range(3)), total.s()), add.s(1, 1)], same.s()),
            1,
        ),
        "a body that is a chain": (chord(broken, chain(total.s(), add.s(4))), 1),
        "a body that is a chord": (chord(broken, chord([same.s()], same.s())), 1),
        "a chord before another": (chain(group(broken), group(same.s(), same.s()), same.s()), 1),
    }


def test_every_shape_of_canvas_ends_with_the_right_value(worker, canvas):
    started = {name: (signature.apply_async(), expected) for name, (signature, expected) in shapes(canvas).items()}
    found = {name: result.get(timeout=TIMEOUT) for name, (result, _) in started.items()}

    assert found == {name: expected for name, (_, expected) in started.items()}


def test_every_failure_reaches_the_body_and_says_which_part_it_was(worker, canvas):
    started = {name: (signature.apply_async(), times) for name, (signature, times) in failures(canvas).items()}
    for name, (result, times) in started.items():
        result.parent = None  # the failure of the header itself would be raised first
        with pytest.raises(ChordError) as failed:
            result.get(timeout=TIMEOUT)
        assert str(failed.value).startswith("Dependency "), name
        assert str(failed.value).count("raised") == times, name


def test_a_failed_chord_calls_its_errback_once_and_never_its_body(worker, canvas, effects, eventually):
    body = canvas.total.s()
    result = chord(
        [canvas.add.s(1, 1), canvas.fail.s(), canvas.fail.s()], body.on_error(canvas.mourn.s())
    ).apply_async()
    result.parent = None
    with pytest.raises(ChordError):
        result.get(timeout=TIMEOUT)
    eventually(effects, claim="the errback has run")

    assert effects() == [["errback", result.id]]


def test_a_chord_of_a_thousand_parts_runs_its_body_once(worker, canvas, effects):
    result = chord([canvas.add.s(number, 1) for number in range(1_000)], canvas.total.s()).apply_async()

    assert result.get(timeout=60) == sum(range(1_000)) + 1_000
    assert effects() == [["body", result.id]]


def test_one_signature_can_be_applied_many_times(canvas, start_worker, effects):
    start_worker()
    signature = chord([canvas.add.s(1, 1), canvas.add.s(2, 2)], canvas.total.s())
    results = [signature.apply_async() for _ in range(3)]

    assert [result.get(timeout=TIMEOUT) for result in results] == [6, 6, 6]
    assert sorted(effects()) == sorted(["body", result.id] for result in results)


def test_chords_whose_body_has_the_same_chosen_id_each_run_it(canvas, start_worker, effects, eventually):
    start_worker()
    for _ in range(2):
        chord([canvas.add.s(1, 1)], canvas.total.s().set(task_id="nightly")).apply_async()
    eventually(lambda: len(effects()) == 2, within=30, claim="both bodies have run")


def test_a_body_that_retries_is_not_taken_for_a_repeat_of_itself(canvas, start_worker):
    start_worker()
    result = chord([canvas.add.s(1, 1)], canvas.total_at_second_try.s()).apply_async()

    assert result.get(timeout=TIMEOUT) == 2
