"""What remote control is shown of the short way."""

from celery.worker import state

from umbel.transports.runtable import RunTable
from umbel.worker import express
from umbel.worker.express import Express, Running
from umbel.worker.slots import Slot


class Shown:
    """A request during whose publication the body ends, in the middle."""

    def __init__(self, end):
        self._end = end

    @property
    def id(self):
        self._end, end = None, self._end
        if end is not None:
            end()
        return "shown"


def test_a_body_that_ends_while_it_is_being_shown_is_not_shown_for_ever(tmp_path, monkeypatch):
    table = RunTable.create(tmp_path / "1.run", 1)
    slot = Slot(0, table, (0.0, 0.0))
    running = slot.current = Running(None, None, 0.0)
    request = Shown(lambda: express._end(slot, running))
    monkeypatch.setattr(Express, "_make", lambda *_: request)
    monkeypatch.setattr(express, "open_message", lambda *_: None)
    shortcut = object.__new__(Express)
    shortcut._channel = None
    shortcut._show(slot, running)
    assert "shown" not in state.requests
    assert request not in state.active_requests
    table.remove()
