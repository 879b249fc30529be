"""Wake-ups: readable after every change that could give a consumer work."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator

import pytest

from umbel.outcomes import Reason
from umbel.testing.contract.handles import Handles, OpenHandle
from umbel.testing.contract.messages import message, messages
from umbel.transports.base import Store, Wakeup

__all__ = ["WakingContract"]

_PATIENCE = 5.0
"""Seconds; a wake-up is immediate, a busy machine is not."""


def _rings(wakeup: Wakeup, timeout: float = _PATIENCE) -> bool:
    return bool(select.select([wakeup], [], [], timeout)[0])


def _release(store: Store, consumer: str) -> None:
    store.release([store.claim("orders", consumer, 1).claims[0].receipt])


def _reap(store: Store, consumer: str) -> None:
    store.claim("orders", consumer, 1)
    store.reap(consumer, started=[])


def _crash(store: Store, consumer: str) -> None:
    store.crash(store.claim("orders", consumer, 1).claims[0].receipt)


def _unpark(store: Store, consumer: str) -> None:
    store.park([store.claim("orders", consumer, 1).claims[0].receipt])
    store.unpark("orders", ["shop.charge"])


def _replay(store: Store, consumer: str) -> None:
    assert consumer
    store.replay([store.bury("orders", message(), Reason.FAILED, {})])


def _resume(store: Store, consumer: str) -> None:
    assert consumer
    store.pause("orders")
    store.resume("orders")


def _publish(store: Store, consumer: str) -> None:
    assert consumer
    store.publish("orders", messages("b"))


class WakingContract(Handles):
    """A waiter need not poll for what happens in this host's store."""

    @pytest.fixture
    def waiter(self, open_handle: OpenHandle) -> Iterator[Wakeup]:
        """Return a waiter of another handle."""
        wakeup = open_handle().wakeup()
        yield wakeup
        wakeup.close()

    def test_it_is_quiet_at_first_and_after_clearing(self, store: Store, waiter: Wakeup) -> None:
        assert not _rings(waiter, 0)
        store.publish("orders", messages("a"))
        assert _rings(waiter)
        waiter.clear()
        assert not _rings(waiter, 0)

    @pytest.mark.parametrize("act", [_publish, _release, _reap, _crash, _unpark, _replay, _resume])
    def test_whatever_makes_a_message_claimable_wakes(
        self, store: Store, consumer: str, waiter: Wakeup, act: Callable[[Store, str], None]
    ) -> None:
        store.publish("orders", messages("a"))
        waiter.clear()
        act(store, consumer)
        assert _rings(waiter)

    def test_every_waiter_is_woken(self, store: Store, open_handle: OpenHandle) -> None:
        waiters = [store.wakeup(), open_handle().wakeup(), open_handle().wakeup()]
        store.publish("orders", messages("a"))
        assert all(_rings(waiter) for waiter in waiters)
        for waiter in waiters:
            waiter.close()

    def test_a_waiter_made_late_is_woken_too(self, store: Store, waiter: Wakeup, open_handle: OpenHandle) -> None:
        store.publish("orders", messages("a"))
        late = open_handle().wakeup()
        waiter.clear()
        store.publish("orders", messages("b"))
        assert _rings(late)
        assert _rings(waiter)
        late.close()

    def test_closing_twice_is_harmless_and_others_go_on(self, store: Store, waiter: Wakeup) -> None:
        closed = store.wakeup()
        closed.close()
        closed.close()
        closed.clear()
        store.publish("orders", messages("a"))
        assert _rings(waiter)
