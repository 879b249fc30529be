"""Dead letters as an operator handles them."""

from datetime import timedelta

import pytest

from umbel.control import deadletters
from umbel.control.deadletters import (
    Selection,
    choose_dead_letters,
    discard_dead_letters,
    list_dead_letters,
    replay_dead_letters,
    show_dead_letter,
)
from umbel.errors import NotFoundError
from umbel.outcomes import Reason


@pytest.fixture
def five(bury, clock):
    """Five letters, a minute apart, the oldest first."""
    made = []
    for number in range(5):
        made.append(bury(f"shop.{'charge' if number % 2 else 'ship'}", task_id=f"t{number}"))
        clock.advance(60)
    return made


def test_letters_are_listed_newest_first_with_how_many_match_in_all(store, five, clock):
    page = list_dead_letters(store, Selection(limit=2), clock=clock)
    assert [letter.id for letter in page.letters] == [five[4], five[3]]
    assert page.matching == 5
    assert (page.letters[0].reason, page.letters[0].error_code) == ("failed", "CARD_GATEWAY_DOWN")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(task="shop.charge"), [1, 3]),
        (Selection(task_id="t2"), [2]),
        (Selection(queue="nowhere"), []),
        (Selection(reason=Reason.FAILED, limit=2), [3, 4]),
        (Selection(reason=Reason.POISON), []),
        (Selection(error_code="CARD_GATEWAY_DOWN", task="shop.ship"), [0, 2, 4]),
        (Selection(older_than=timedelta(minutes=3, seconds=30)), [0, 1]),
        (Selection(newer_than=timedelta(minutes=1, seconds=30)), [4]),
        (Selection(older_than=timedelta(seconds=90), newer_than=timedelta(seconds=200)), [2, 3]),
    ],
)
def test_every_field_of_a_selection_narrows_the_choice_and_the_oldest_comes_first(
    store, five, clock, selection, expected
):
    assert choose_dead_letters(store, selection, clock=clock) == tuple(five[number] for number in expected)


def test_a_choice_over_many_pages_misses_and_repeats_nothing(store, bury, clock, monkeypatch):
    monkeypatch.setattr(deadletters, "_PAGE", 3)
    made = []
    for number in range(40):
        made.append(bury())
        if number % 11 == 0:  # the letters between share one moment of death, and outnumber a page
            clock.advance(1)
    chosen = choose_dead_letters(store, Selection(), clock=clock)
    assert len(chosen) == 40
    assert set(chosen) == set(made)
    assert len(choose_dead_letters(store, Selection(limit=17), clock=clock)) == 17


def test_an_id_that_does_not_exist_or_does_not_match_stops_the_choice(store, five, clock):
    with pytest.raises(NotFoundError, match="no-such"):
        choose_dead_letters(store, Selection(ids=(five[0], "no-such")), clock=clock)
    with pytest.raises(NotFoundError) as caught:
        choose_dead_letters(store, Selection(ids=(five[0], five[1]), task="shop.charge"), clock=clock)
    assert caught.value.details == {"ids": [five[0]]}


def test_only_a_selection_without_any_filter_is_everything():
    assert Selection().everything
    assert Selection(limit=3).everything
    assert not Selection(queue="bulk").everything
    assert not Selection(ids=("1",)).everything


def test_a_letter_is_shown_whole_with_its_error_and_arguments(store, bury):
    letter = bury(args=[7, "é"], kwargs={"total": 1.5}, priority=3, task_id="t1")
    detail = show_dead_letter(store, letter)
    assert detail.letter.id == letter
    assert detail.error["details"] == {"s": 3}
    assert (detail.payload.args, detail.payload.kwargs) == ([7, "é"], {"total": 1.5})
    assert detail.payload.headers["retries"] == 2
    assert detail.priority == 3
    with pytest.raises(NotFoundError):
        show_dead_letter(store, "no-such")


def test_a_replay_publishes_each_letter_once_with_its_attempts_reset(store, five, clock):
    heard = []
    replayed = replay_dead_letters(store, five[:3], progress=heard.append, clock=clock)
    assert replayed.tasks == {five[0]: "t0", five[1]: "t1", five[2]: "t2"}
    assert replayed.gone == ()
    assert heard == [3]
    assert [letter.id for letter in list_dead_letters(store, Selection()).letters] == [five[4], five[3]]
    claims = store.claim("celery", store.register("w1", lease=15), 10).claims
    assert [claim.envelope.task_id for claim in claims] == ["t0", "t1", "t2"]
    assert {claim.envelope.replay for claim in claims} == {1}


def test_a_letter_that_was_handled_meanwhile_is_reported_as_gone(store, five, clock):
    store.discard([five[1]])
    replayed = replay_dead_letters(store, five, clock=clock)
    assert replayed.gone == (five[1],)
    assert len(replayed.tasks) == 4


def test_a_rate_spreads_a_replay_over_time(store, bury, clock):
    letters = [bury() for _ in range(30)]
    start, moments = clock.now(), []
    replay_dead_letters(
        store, letters, rate=10, progress=lambda done: moments.append((done, clock.now() - start)), clock=clock
    )
    assert [done for done, _ in moments] == list(range(1, 31))
    assert [round(at, 6) for _, at in moments] == [round(number / 10, 6) for number in range(30)]


def test_a_high_rate_goes_in_batches_and_a_slow_store_does_not_slow_it_further(store, bury, clock):
    letters = [bury() for _ in range(100)]
    start, moments = clock.now(), []

    def slow(done: int) -> None:
        moments.append((done, clock.now() - start))
        clock.advance(0.05)

    replay_dead_letters(store, letters, rate=200, progress=slow, clock=clock)
    assert [done for done, _ in moments] == [20, 40, 60, 80, 100]
    assert moments[-1][1] == pytest.approx(0.4)


def test_a_task_that_fails_again_during_a_replay_is_not_replayed_twice(store, five, clock, bury):
    chosen = choose_dead_letters(store, Selection(task="shop.ship"), clock=clock)
    again = []
    replayed = replay_dead_letters(
        store, chosen, rate=1, progress=lambda done: again.append(bury("shop.ship")), clock=clock
    )
    assert len(replayed.tasks) == 3
    assert set(again) <= set(choose_dead_letters(store, Selection(task="shop.ship"), clock=clock))


def test_a_discard_removes_for_good_and_counts(store, five):
    assert discard_dead_letters(store, [five[0], five[1], "no-such"]).removed == 2
    assert list_dead_letters(store, Selection()).matching == 3
