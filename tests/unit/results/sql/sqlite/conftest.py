from __future__ import annotations

import pytest

from umbel.results.sql.sqlite import SqliteChords, SqliteResults, open_database


@pytest.fixture
def database(tmp_path):
    database = open_database(tmp_path / "results.db")
    yield database
    database.close()


@pytest.fixture
def chords(database):
    return SqliteChords(database)


@pytest.fixture
def results(database, chords, clock):
    return SqliteResults(database, chords, clock=clock)
