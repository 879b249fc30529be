"""The register fails alike in every run, and its client says which failures pass."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest

from umbel import TemporaryError
from umbel.demo.register import MAX_REFUSALS, Register, look_up, serve

AIRCRAFT = {f"N{number}": f"BOEING {number}" for number in range(200)}


def ask_until_answered(register, tailnum):
    refusals = 0
    while register.answer(tailnum)[0] == HTTPStatus.SERVICE_UNAVAILABLE:
        refusals += 1
    return refusals


def test_the_same_seed_refuses_the_same_requests_in_any_order():
    forward, backward = Register(AIRCRAFT, seed=7), Register(AIRCRAFT, seed=7)
    found = {tailnum: ask_until_answered(forward, tailnum) for tailnum in AIRCRAFT}
    assert found == {tailnum: ask_until_answered(backward, tailnum) for tailnum in reversed(AIRCRAFT)}
    assert found != {tailnum: ask_until_answered(Register(AIRCRAFT, seed=8), tailnum) for tailnum in AIRCRAFT}


def test_about_a_quarter_is_refused_and_nobody_more_often_than_the_limit():
    register = Register(AIRCRAFT, seed=7)
    refusals = [ask_until_answered(register, tailnum) for tailnum in AIRCRAFT]
    assert max(refusals) <= MAX_REFUSALS
    assert register.refused == sum(refusals)
    assert register.answered == len(AIRCRAFT)
    assert 0.15 < register.refused / (register.refused + register.answered) < 0.35


def test_every_aircraft_is_answered_over_http_by_several_threads():
    codes = set()

    def insist(tailnum):
        for _ in range(MAX_REFUSALS + 1):
            try:
                return look_up(address, tailnum)
            except TemporaryError as refusal:
                codes.add(refusal.error_code)
        raise AssertionError(tailnum)

    with serve(Register(AIRCRAFT, seed=7)) as address, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(insist, AIRCRAFT)) == list(AIRCRAFT.values())
        assert insist("N-UNKNOWN") is None
    assert codes == {"REGISTER_UNAVAILABLE"}


def test_a_register_that_is_gone_is_a_temporary_failure():
    with serve(Register({}, seed=7)) as address:
        pass
    with pytest.raises(TemporaryError, match="cannot be reached"):
        look_up(address, "N1")
