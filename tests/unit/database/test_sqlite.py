"""One SQLite file as one process uses it."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from umbel.database import Database
from umbel.errors import (
    ConfigurationError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
    StorageLockedError,
    StorageUnwritableError,
)

TABLE = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)"


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "notes.db", busy_timeout=5, prepare=lambda connection: connection.execute(TABLE))
    yield database
    database.close()


def add(database, text):
    with database.write() as connection:
        connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))


def texts(database):
    return [row[0] for row in database.fetch("SELECT text FROM notes ORDER BY id")]


class TestTransactions:
    def test_a_write_is_committed(self, database):
        add(database, "a")
        assert texts(database) == ["a"]

    def test_an_exception_undoes_the_write(self, database):
        def add_and_fail():
            with database.write() as connection:
                connection.execute("INSERT INTO notes (text) VALUES ('a')")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            add_and_fail()
        assert texts(database) == []
        add(database, "b")
        assert texts(database) == ["b"]

    def test_a_failing_statement_undoes_the_write_and_is_told_in_words(self, database):
        def add_to_nowhere():
            with database.write() as connection:
                connection.execute("INSERT INTO notes (text) VALUES ('a')")
                connection.execute("INSERT INTO nowhere VALUES (1)")

        with pytest.raises(StorageError, match="no such table: nowhere") as caught:
            add_to_nowhere()
        assert str(database.path) in str(caught.value)
        assert isinstance(caught.value.__cause__, sqlite3.Error)
        assert texts(database) == []

    def test_a_read_sees_one_snapshot(self, database, tmp_path):
        add(database, "a")
        other = Database(tmp_path / "notes.db")
        with database.read() as connection:
            before = connection.execute("SELECT count(*) FROM notes").fetchone()
            add(other, "b")
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == before
        assert texts(database) == ["a", "b"]
        other.close()

    def test_closing_twice_is_harmless_and_use_reopens(self, database):
        database.close()
        add(database, "a")
        database.close()
        database.close()
        assert texts(database) == ["a"]

    def test_threads_take_turns(self, database):
        threads = [threading.Thread(target=lambda: [add(database, "x") for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(texts(database)) == 200

    def test_the_pragmas_are_what_was_asked_for(self, tmp_path):
        database = Database(tmp_path / "notes.db", synchronous="full")
        assert database.fetch("PRAGMA journal_mode") == [("wal",)]
        assert database.fetch("PRAGMA synchronous") == [(2,)]
        assert database.fetch("PRAGMA secure_delete") == [(0,)]
        database.close()

    def test_an_unknown_synchronous_level_is_refused(self, tmp_path):
        with pytest.raises(ConfigurationError, match="OFF, NORMAL, FULL, EXTRA, got: 'sometimes'"):
            Database(tmp_path / "notes.db", synchronous="sometimes")


class TestTroubleIsToldInWords:
    def test_a_locked_database(self, database, tmp_path):
        add(database, "a")
        holder = sqlite3.connect(tmp_path / "notes.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        impatient = Database(tmp_path / "notes.db", busy_timeout=0.2)
        with pytest.raises(StorageLockedError, match=r"notes\.db.*more than 0\.2 s") as caught:
            add(impatient, "b")
        assert "busy_timeout" in caught.value.hint
        assert texts(impatient) == ["a"]
        holder.execute("COMMIT")
        holder.close()
        add(impatient, "b")
        assert texts(database) == ["a", "b"]
        impatient.close()

    def test_a_short_lock_is_waited_for(self, database, tmp_path):
        add(database, "a")
        holder = sqlite3.connect(tmp_path / "notes.db", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, lambda: holder.execute("COMMIT"))
        timer.start()
        add(database, "b")
        timer.join()
        holder.close()
        assert texts(database) == ["a", "b"]

    def test_a_file_that_is_no_database(self, tmp_path):
        (tmp_path / "notes.db").write_bytes(b"This is a letter to a friend, and not a database. " * 100)
        database = Database(tmp_path / "notes.db")
        with pytest.raises(StorageCorruptError, match=r"notes\.db is not a SQLite database") as caught:
            add(database, "a")
        assert ".recover" in caught.value.hint

    def test_a_damaged_database(self, database, tmp_path):
        for number in range(2_000):
            add(database, f"{number}" * 50)
        database.close()
        path = tmp_path / "notes.db"
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size - 4096))
        with pytest.raises(StorageCorruptError, match=r"notes\.db is damaged"):
            texts(database)

    def test_a_full_database(self, database):
        add(database, "a")
        database.fetch("PRAGMA max_page_count = 10")
        with pytest.raises(StorageFullError, match="no room to store more") as caught:
            add(database, "x" * 100_000)
        assert "free space" in caught.value.hint
        assert texts(database)[0] == "a"
        database.fetch("PRAGMA max_page_count = 100000")
        add(database, "b")
        assert texts(database)[-1] == "b"

    def test_a_full_disk(self, tmp_path):
        # A limit on file sizes makes the kernel refuse to write, which SQLite tells as an I/O error or as full.
        code = (
            "import resource, signal, sys\n"
            "from pathlib import Path\n"
            "from umbel.database import Database\n"
            "from umbel.errors import StorageError\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "database = Database(Path(sys.argv[1]))\n"
            "with database.write() as connection: connection.execute('CREATE TABLE notes (text TEXT)')\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
            "try:\n"
            "    with database.write() as connection:\n"
            "        connection.executemany('INSERT INTO notes VALUES (?)', [('x' * 10_000,)] * 100)\n"
            "except StorageError as problem: print(type(problem).__name__, problem.message)\n"
        )
        path = tmp_path / "notes.db"
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("Storage")
        assert str(path) in done.stdout

    def test_a_missing_folder(self, tmp_path):
        database = Database(tmp_path / "missing" / "notes.db")
        with pytest.raises(StorageUnwritableError, match=r"its folder .*missing does not exist") as caught:
            add(database, "a")
        assert caught.value.hint == f"create it: mkdir -p {tmp_path / 'missing'}"

    def test_a_file_in_place_of_the_folder(self, tmp_path):
        (tmp_path / "file").write_text("not a folder")
        with pytest.raises(StorageUnwritableError, match="is a file, expected a folder"):
            add(Database(tmp_path / "file" / "notes.db"), "a")

    def test_a_folder_in_place_of_the_file(self, tmp_path):
        with pytest.raises(StorageUnwritableError, match="is a folder, expected a file"):
            add(Database(tmp_path), "a")

    def test_a_file_that_may_not_be_written(self, tmp_path):
        path = tmp_path / "notes.db"
        first = Database(path, prepare=lambda connection: connection.execute(TABLE))
        add(first, "a")
        first.close()
        path.chmod(0o444)
        tmp_path.chmod(0o555)
        try:
            outcome = in_child(_write_as_nobody, path)
        finally:
            tmp_path.chmod(0o755)
        assert outcome.startswith("StorageUnwritableError")
        assert str(path) in outcome
        assert "write permission" in outcome


def _write_as_nobody(path, pipe):
    if os.getuid() == 0:
        # Root may write everything; another user has to be able to come this far.
        for folder in path.parents:
            if folder != Path("/") and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
        os.setgid(65_534)
        os.setuid(65_534)
    try:
        add(Database(path), "b")
        pipe.send("wrote")
    except StorageError as problem:
        pipe.send(f"{type(problem).__name__}: {problem}")


def in_child(target, *arguments):
    """Run in a forked child and return what it sends."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(*arguments, theirs))
    child.start()
    theirs.close()
    try:
        assert ours.poll(30), "the child said nothing"
        return ours.recv()
    finally:
        child.join(30)
        ours.close()


class TestForks:
    def test_the_connection_is_closed_before_a_fork_and_opened_anew_on_both_sides(self, database):
        add(database, "parent")
        assert in_child(_add_in_child, database) == ["parent", "child"]
        add(database, "parent again")
        assert texts(database) == ["parent", "child", "parent again"]

    def test_a_commit_of_a_child_survives_the_last_other_process(self, database, tmp_path):
        """Without the close before the fork the child held no lock: its log was deleted under it."""
        add(database, "parent")
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=_stay_and_write, args=(database, theirs))
        child.start()
        theirs.close()
        assert ours.recv() == "open"
        database.close()
        other = Database(tmp_path / "notes.db")
        assert texts(other) == ["parent", "child 1"]
        other.close()
        ours.send("go on")
        assert ours.recv() == "written"
        child.join(30)
        ours.close()
        assert texts(database) == ["parent", "child 1", "child 2"]

    def test_a_fork_waits_for_another_threads_transaction(self, database):
        inside, leave = threading.Event(), threading.Event()

        def hold():
            with database.write() as connection:
                connection.execute("INSERT INTO notes (text) VALUES ('thread')")
                inside.set()
                leave.wait(10)

        holder = threading.Thread(target=hold)
        holder.start()
        inside.wait(10)
        threading.Timer(0.1, leave.set).start()
        assert in_child(_add_in_child, database) == ["thread", "child"]
        holder.join()

    def test_a_fork_out_of_a_transaction_leaves_the_parents_whole(self, database):
        with database.write() as connection:
            connection.execute("INSERT INTO notes (text) VALUES ('parent')")
            child = os.fork()
            if child == 0:
                os._exit(0 if database._connection is None else 1)
            assert os.waitpid(child, 0)[1] == 0
            connection.execute("INSERT INTO notes (text) VALUES ('parent still')")
        assert texts(database) == ["parent", "parent still"]


def _add_in_child(database, pipe):
    add(database, "child")
    pipe.send(texts(database))
    database.close()


def _stay_and_write(database, pipe):
    add(database, "child 1")
    pipe.send("open")
    pipe.recv()
    add(database, "child 2")
    pipe.send("written")
    os._exit(0)  # no clean close: what was committed is in the log alone


def test_no_descriptor_is_left_behind(tmp_path):
    def descriptors():
        targets = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        return [target for target in targets if target.startswith(str(tmp_path))]

    for number in range(20):
        database = Database(tmp_path / f"{number}.db", prepare=lambda connection: connection.execute(TABLE))
        add(database, "a")
        assert descriptors()
        database.close()
    assert descriptors() == []
