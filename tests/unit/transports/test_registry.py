"""Stores by URL."""

from __future__ import annotations

import pytest

from umbel.errors import ConfigurationError
from umbel.message import Envelope
from umbel.transports.registry import open_store


def test_a_relative_url_is_a_file_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///queues.db")
    monkeypatch.chdir("/")
    store.publish("orders", [Envelope("a", "t", b"{}", b"")])
    store.close()
    assert (tmp_path / "queues.db").exists()


def test_nothing_is_opened_before_its_first_use(tmp_path):
    open_store(f"sqlite:///{tmp_path / 'queues.db'}").close()
    assert list(tmp_path.iterdir()) == []


def test_memory_stores_are_shared_by_name():
    first, second = open_store("memory://registry-a"), open_store("memory://registry-a")
    other = open_store("memory://registry-b")
    first.publish("orders", [Envelope("a", "t", b"{}", b"")])
    assert (second.size("orders"), other.size("orders")) == (1, 0)


def test_options_reach_the_store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'q.db'}", options={"dedup_window": 0.0, "synchronous": "FULL"})
    envelope = Envelope("a", "t", b"{}", b"", dedup="k")
    assert [*store.publish("orders", [envelope]), *store.publish("orders", [envelope])] == [True, True]
    store.close()


@pytest.mark.parametrize("url", ["", "umbel.db", "redis://localhost", "postgresql://x"])
def test_an_unknown_scheme_is_named(url):
    with pytest.raises(ConfigurationError, match="sqlite:// or memory://, got"):
        open_store(url)


def test_an_unknown_option_is_named():
    with pytest.raises(ConfigurationError, match=r"busy_timeout.*got: busy_timout"):
        open_store("memory://x", options={"busy_timout": 1})
