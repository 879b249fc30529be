"""Migrations: once each, in order, whoever else starts at the same moment."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading

import pytest

from umbel.database import migrate


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of migrations, and a function that writes one."""
    folder = tmp_path / "steps_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Steps."""')
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, script):
        (folder / name).write_text(script)

    write("0001_start.sql", "-- a; comment\nCREATE TABLE a (x);\nINSERT INTO a VALUES ('one; two');\n")
    yield write
    sys.modules.pop("steps_of_a_test", None)


def connect(tmp_path):
    return sqlite3.connect(tmp_path / "m.db", isolation_level=None, timeout=20, check_same_thread=False)


def test_steps_are_applied_in_order_and_once(tmp_path, package):
    package("0002_more.sql", "ALTER TABLE a ADD COLUMN y;")
    connection = connect(tmp_path)
    assert migrate(connection, "notes", "steps_of_a_test") == 2
    assert migrate(connection, "notes", "steps_of_a_test") == 2
    assert connection.execute("SELECT x, y FROM a").fetchall() == [("one; two", None)]
    assert connection.execute("SELECT version FROM schema_versions WHERE component = 'notes'").fetchall() == [
        (1,),
        (2,),
    ]
    connection.close()


def test_a_later_step_is_applied_to_an_older_file(tmp_path, package):
    connection = connect(tmp_path)
    assert migrate(connection, "notes", "steps_of_a_test") == 1
    package("0002_more.sql", "ALTER TABLE a ADD COLUMN y;")
    assert migrate(connection, "notes", "steps_of_a_test") == 2
    connection.close()


def test_a_newer_file_is_accepted(tmp_path, package):
    connection = connect(tmp_path)
    migrate(connection, "notes", "steps_of_a_test")
    connection.execute("INSERT INTO schema_versions VALUES ('notes', 9, '0009_future.sql', 0)")
    assert migrate(connection, "notes", "steps_of_a_test") == 9
    connection.close()


def test_components_share_a_file(tmp_path, package):
    connection = connect(tmp_path)
    migrate(connection, "notes", "steps_of_a_test")
    assert migrate(connection, "transports", "umbel.transports.sqlite.migrations") >= 1
    connection.close()


def test_a_step_that_fails_leaves_nothing_behind(tmp_path, package):
    package("0002_broken.sql", "CREATE TABLE b (x);\nCREATE TABLE a (x);")
    connection = connect(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection, "notes", "steps_of_a_test")
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'b'").fetchall() == []
    assert not connection.in_transaction
    connection.close()


def test_many_that_start_at_once_migrate_once(tmp_path, package):
    assert package
    barrier = threading.Barrier(8)
    problems = []

    def start():
        connection = connect(tmp_path)
        barrier.wait()
        try:
            migrate(connection, "notes", "steps_of_a_test")
        except sqlite3.Error as problem:
            problems.append(problem)
        connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    connection = connect(tmp_path)
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (1,)
    connection.close()


def test_processes_that_open_a_new_store_at_once_all_succeed(tmp_path):
    code = (
        "import sys\n"
        "from umbel.testing.contract.messages import message\n"
        "from umbel.transports.registry import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "store.publish('orders', [message() for _ in range(5)])\n"
        "store.close()\n"
    )
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    children = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(6)]
    assert [child.wait(60) for child in children] == [0] * 6
    connection = sqlite3.connect(tmp_path / "fresh.db")
    assert connection.execute("SELECT count(*) FROM messages").fetchone() == (30,)
    connection.close()
