"""What a worker does now and then."""

import time

from umbel import events
from umbel.errors import StorageLockedError
from umbel.worker.rota import Rota


def test_a_duty_is_done_each_time_that_it_is_due():
    rota, done = Rota("w@test"), []
    rota.every(0.02, lambda: done.append(1))
    rota.do_what_is_due()
    assert done == []
    time.sleep(rota.pause() + 0.001)
    rota.do_what_is_due()
    rota.do_what_is_due()
    assert done == [1]
    assert 0 < rota.pause() <= 0.02


def test_a_duty_that_fails_is_told_and_tried_again_later(heard):
    rota = Rota("w@test")

    def fail():
        raise StorageLockedError("the database is locked")

    rota.every(0.0, fail)
    rota.do_what_is_due()
    assert heard == [events.DutyFailed(worker="w@test", problem="the database is locked")]
    rota.do_what_is_due()
    assert len(heard) == 1
    assert rota.pause() > 1


def test_a_rota_without_duties_never_wakes():
    assert Rota("w@test").pause() == float("inf")
