"""The fixtures of the suite: a clock that the test moves, and handles that are closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from umbel.clock import Clock, ManualClock
from umbel.transports.base import Store

__all__ = ["LEASE", "Handles", "OpenHandle", "Opener"]

LEASE = 15.0
"""Seconds; the lease of the suite's consumers."""

Opener = Callable[[Clock | None, str | None], Store]
"""Opens one more handle on the same data: (clock or the system's, host or this one)."""


class OpenHandle(Protocol):
    """Opens one more handle on the store under test."""

    def __call__(self, host: str | None = None) -> Store:
        """Return the handle, as seen from this host or from another."""
        ...


class Handles:
    """What every part of the suite builds on. Override :meth:`opener`."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Return the function that opens a handle on the store under test."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return the clock of all handles."""
        return ManualClock()

    @pytest.fixture
    def open_handle(self, opener: Opener, clock: ManualClock) -> Iterator[OpenHandle]:
        """Return a function that opens one more handle."""
        opened: list[Store] = []

        def open_handle(host: str | None = None) -> Store:
            opened.append(opener(clock, host))
            return opened[-1]

        yield open_handle
        for store in opened:
            store.close()

    @pytest.fixture
    def store(self, open_handle: OpenHandle) -> Store:
        """Return a handle."""
        return open_handle()

    @pytest.fixture
    def consumer(self, store: Store) -> str:
        """Return a registered consumer of :meth:`store`."""
        return store.register("worker@here", lease=LEASE)
