"""SQLite URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from umbel.database import sqlite_path
from umbel.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///umbel.db", "umbel.db"),
        ("sqlite:///data/umbel.db", "data/umbel.db"),
        ("sqlite:////var/lib/umbel.db", "/var/lib/umbel.db"),
        ("sqlite:////tmp/with%20space.db", "/tmp/with space.db"),
    ],
)
def test_three_slashes_are_relative_and_four_absolute(url, path):
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite://host/file.db", "sqlite:///:memory:", "redis://localhost", "umbel.db", ""],
)
def test_any_other_form_is_refused_by_name(url):
    with pytest.raises(ConfigurationError, match="sqlite:///FILE"):
        sqlite_path(url)


def test_options_in_the_url_are_refused():
    with pytest.raises(ConfigurationError, match="takes no options"):
        sqlite_path("sqlite:///umbel.db?timeout=5")
