"""The SQLite store keeps the contract, with threads, with processes, and under SIGKILL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from umbel.testing.contract import ProcessContract, StoreContract, store_machine
from umbel.transports.registry import open_store


def opener_at(path):
    def opener(clock, host):
        return open_store(f"sqlite:///{path}", clock=clock, options={} if host is None else {"host": host})

    return opener


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def opener(self, tmp_path):
        return opener_at(tmp_path / "queues.db")


class TestSqliteProcesses(ProcessContract):
    @pytest.fixture
    def opener(self, tmp_path):
        return opener_at(tmp_path / "queues.db")

    @pytest.fixture
    def opening(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'queues.db'}"
        return f"from umbel.transports.registry import open_store\nstore = open_store({url!r})"


@contextmanager
def fresh_store() -> Iterator:
    with tempfile.TemporaryDirectory() as folder:
        yield opener_at(Path(folder) / "queues.db")


TestSqliteModel = store_machine(fresh_store).TestCase
TestSqliteModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
