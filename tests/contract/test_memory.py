"""The memory store keeps the contract."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import settings

from umbel.testing.contract import StoreContract, store_machine
from umbel.transports.registry import open_store


def opener_of(name):
    def opener(clock, host):
        return open_store(f"memory://{name}", clock=clock, options={} if host is None else {"host": host})

    return opener


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def opener(self):
        return opener_of(uuid.uuid4().hex)


@contextmanager
def fresh_store() -> Iterator:
    yield opener_of(uuid.uuid4().hex)


TestMemoryModel = store_machine(fresh_store).TestCase
TestMemoryModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
