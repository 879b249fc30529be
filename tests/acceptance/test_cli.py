"""The ``umbel`` program as a user meets it: real processes, a real broker file, a real terminal."""

import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from umbel.message import Envelope
from umbel.outcomes import Reason
from umbel.transports.base import Store
from umbel.transports.registry import open_store

UMBEL = [sys.executable, "-m", "umbel.cli"]
APP = """
from celery import Celery
import umbel.transports
app = Celery("shop", broker="sqlite:///umbel.db")
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return tmp_path


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{home}/umbel.db")
    yield opened
    opened.close()


@pytest.fixture
def bury(store: Store) -> Callable[..., str]:
    def make(task: str = "shop.charge", *, task_id: str = "t1", error: str = "GATEWAY_DOWN") -> str:
        failure = {"error_code": error, "message": "no answer", "retryable": False, "details": {}, "hint": ""}
        return store.bury("bulk", message(task_id, task), Reason.EXHAUSTED, failure)

    return make


def message(task_id: str, task: str = "shop.charge") -> Envelope:
    head = {"headers": {"task": task, "id": task_id}, "content-type": "application/json"}
    return Envelope(task_id=task_id, task=task, head=json.dumps(head).encode(), body=b'[[7], {"total": 1.5}, {}]')


def run(*words: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*UMBEL, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == code, f"umbel {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words: str, columns: int = 80) -> None:
        self.shown = ""
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*UMBEL, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"COLUMNS": str(columns), "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(slave)

    def read_until(self, text: str, *, within: float = 30) -> None:
        deadline = time.monotonic() + within
        while text not in self.shown:
            assert time.monotonic() < deadline, f"never showed {text!r}, but:\n{self.shown}"
            assert self._read(), f"ended without showing {text!r}, but:\n{self.shown}"

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        while self._read():
            pass
        code = self.process.wait(timeout=30)
        os.close(self._master)
        return code

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 30)[0]:
            return False
        try:
            text = os.read(self._master, 65536)
        except OSError:  # the terminal's other end is closed
            return False
        self.shown += text.decode()
        return bool(text)


def test_help_is_quick_because_nothing_heavy_is_imported(home):
    probe = (
        "import sys; from umbel.cli import main; code = main(['--help']);"
        "heavy = {'celery', 'kombu', 'pydantic', 'rich', 'sqlite3'} & set(sys.modules);"
        "sys.exit(f'{heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3, f"umbel --help took {min(spent):.3f} s of processor time at best"


def test_the_version_is_the_packages(home):
    import umbel

    assert run("--version").stdout == f"umbel {umbel.__version__}\n"


def test_without_anything_the_broker_of_the_configuration_is_empty_and_says_what_to_do(home):
    done = run("queues")
    assert done.stdout == ""
    assert done.stderr == f"No queues yet in {home}/umbel.db. Publish a task or start a worker.\n"
    assert run("workers").stderr.startswith("No workers on ")
    assert run("workers", "running").stderr.startswith("Nothing runs now")
    assert run("deadletters").stderr == "No dead letters: nothing has failed for good.\n"
    assert run("deadletters", "list", "--task", "x").stderr == "No dead letter matches.\n"
    assert json.loads(run("queues", "--json").stdout) == {"queues": []}
    assert json.loads(run("deadletters", "--json").stdout) == {"dead_letters": [], "matching": 0}


def test_queues_are_shown_to_people_and_to_machines(store):
    store.publish("critical", [message("a"), message("b")])
    store.pause("critical")
    done = run("queues")
    header, row = done.stdout.splitlines()
    assert header.split() == ["QUEUE", "READY", "DELAYED", "CLAIMED", "PARKED", "DEAD", "WAITING", "STATE"]
    assert re.fullmatch(r"critical +2 +0 +0 +0 +0 +(now|\d+ (ms|s)) +paused", row)
    (queue,) = json.loads(run("--json", "queues", "list").stdout)["queues"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", queue.pop("oldest_ready"))
    assert queue == {
        "name": "critical",
        "ready": 2,
        "delayed": 0,
        "claimed": 0,
        "parked": 0,
        "dead": 0,
        "paused": True,
    }


def test_pausing_and_resuming_reaches_every_process(store):
    store.publish("bulk", [message("a")])
    consumer = store.register("w1", lease=15)
    assert run("queues", "pause", "bulk").stdout == "Paused bulk: 1 ready, 0 delayed, 0 claimed.\n"
    assert not store.claim("bulk", consumer, 1).claims
    assert json.loads(run("queues", "resume", "bulk", "--json").stdout)["paused"] is False
    assert len(store.claim("bulk", consumer, 1).claims) == 1


def test_a_purge_is_done_only_when_it_is_confirmed(store):
    store.publish("bulk", [message("a"), message("b")])
    refused = run("queues", "purge", "bulk", code=1)
    assert refused.stderr == ("error: NOT_CONFIRMED: nothing was done: this needs to be confirmed\nhint: pass --yes\n")
    terminal = Terminal("queues", "purge", "bulk")
    terminal.read_until("Remove 2 waiting messages of queue bulk for good? [y/N]")
    terminal.type("n\n")
    assert terminal.end() == 1
    assert "nothing was done" in terminal.shown
    assert store.size("bulk") == 2
    terminal = Terminal("queues", "purge", "bulk")
    terminal.read_until("[y/N]")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert "Removed 2 messages from bulk." in terminal.shown
    assert store.size("bulk") == 0


def test_ctrl_c_at_a_question_ends_cleanly_and_does_nothing(store):
    store.publish("bulk", [message("a")])
    terminal = Terminal("queues", "purge", "bulk")
    terminal.read_until("[y/N]")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "INTERRUPTED" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert store.size("bulk") == 1


def test_dead_letters_are_listed_shown_replayed_and_discarded(store, bury):
    first, second, third = bury(task_id="t1"), bury(task_id="t2", error="OTHER"), bury("shop.ship", task_id="t3")
    header, *rows = run("deadletters").stdout.splitlines()
    assert header.split() == ["ID", "DIED", "QUEUE", "TASK", "REASON", "ERROR", "MESSAGE"]
    assert [row.split()[0] for row in rows] == [third, second, first]
    listed = json.loads(run("deadletters", "list", "--task", "shop.charge", "--limit", "1", "--json").stdout)
    assert ([letter["id"] for letter in listed["dead_letters"]], listed["matching"]) == ([second], 2)
    shown = run("deadletters", "show", first).stdout
    assert re.search(r"^Error +GATEWAY_DOWN: no answer$", shown, re.MULTILINE)
    assert re.search(r'^Kwargs +{"total": 1.5}$', shown, re.MULTILINE)
    assert run("deadletters", "replay", "--error", "OTHER", "--dry-run").stdout == "Would replay 1 dead letter.\n"
    assert store.size("bulk") == 0
    replayed = json.loads(run("deadletters", "replay", "--error", "OTHER", "--yes", "--json").stdout)
    assert replayed == {"tasks": {second: "t2"}, "gone": []}
    assert store.size("bulk") == 1
    assert run("deadletters", "discard", first, "-y").stdout == "Discarded 1 dead letter.\n"
    assert run("deadletters", "replay", "--all", "--yes", "--rate", "1000/s").stdout == "Replayed 1 dead letter.\n"
    assert store.size("bulk") == 2


def test_a_replay_without_a_choice_is_refused_before_anything_is_opened(home):
    for verb in ("replay", "discard"):
        refused = run("deadletters", verb, "--yes", code=2)
        assert f"--all to {verb} every one" in refused.stderr
        assert run("deadletters", verb, "--all", "--task", "x", code=2).stderr.startswith("error: USAGE: --all means")
    assert list(home.iterdir()) == []


def test_ctrl_c_in_a_slow_replay_says_how_far_it_came(store, bury):
    for number in range(20):
        bury(task_id=f"t{number}")
    terminal = Terminal("deadletters", "replay", "--all", "--yes", "--rate", "5/s")
    terminal.read_until("Replaying")
    terminal.read_until("/20")
    deadline = time.monotonic() + 20
    while not store.size("bulk") and time.monotonic() < deadline:
        time.sleep(0.01)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    stopped = re.search(r"Stopped: (\d+) of 20 replayed\.", terminal.shown)
    assert stopped, terminal.shown
    assert 1 <= int(stopped[1]) <= store.size("bulk") < 20
    assert "Traceback" not in terminal.shown


def test_a_task_is_found_and_cancelled_by_its_id(store):
    store.publish("bulk", [message("t1")])
    assert re.search(r"^State +ready$", run("tasks", "find", "t1").stdout, re.MULTILINE)
    assert run("tasks", "cancel", "t1").stdout == "Cancelled shop.charge (t1), which was ready in bulk.\n"
    assert store.size("bulk") == 0
    assert run("tasks", "cancel", "t1", code=5).stderr.startswith("error: NOT_FOUND: task 't1' is not in the broker\n")


def test_a_live_consumer_is_shown_alive_and_a_killed_one_dead(home, store, eventually):
    script = (
        "import sys; from umbel.transports.registry import open_store;"
        "store = open_store('sqlite:///umbel.db'); store.register('celery-1@here', lease=60); print('up', flush=True);"
        "sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        (worker,) = json.loads(run("workers", "--json").stdout)["workers"]
        assert (worker["name"], worker["pid"], worker["alive"]) == ("celery-1@here", child.pid, True)
        assert re.search(rf"^celery-1@here +alive +{child.pid} ", run("workers").stdout, re.MULTILINE)
    finally:
        child.kill()
        child.communicate()
    (worker,) = json.loads(run("workers", "--json").stdout)["workers"]
    assert worker["alive"] is False
    assert " dead " in run("workers").stdout


@pytest.mark.parametrize(
    ("words", "code", "error_code"),
    [
        (("frobnicate",), 2, "USAGE"),
        (("queues", "--frob"), 2, "USAGE"),
        (("worker",), 2, "USAGE"),
        (("deadletters", "list", "--older-than", "3"), 2, "USAGE"),
        (("-A", "no_such_module:app", "queues"), 3, "CONFIGURATION_INVALID"),
        (("-b", "memory://", "queues"), 3, "CONFIGURATION_UNSUPPORTED"),
        (("-A", "no_such_module:app", "worker"), 3, "CONFIGURATION_INVALID"),
        (("--config-dir", "no-such-folder", "queues"), 3, None),
        (("-b", "sqlite:////no/such/folder/umbel.db", "queues"), 4, None),
        (("queues", "pause", "no-such-queue"), 5, "QUEUE_NOT_FOUND"),
        (("deadletters", "show", "no-such-letter"), 5, "NOT_FOUND"),
        (("deadletters", "replay", "no-such-letter", "--yes"), 5, "NOT_FOUND"),
        (("tasks", "find", "no-such-task"), 5, "NOT_FOUND"),
    ],
)
def test_every_kind_of_failure_has_its_exit_code_one_line_a_hint_and_a_contract(home, words, code, error_code):
    plain = run(*words, code=code)
    assert plain.stdout == ""
    first, *rest = plain.stderr.splitlines()
    assert re.match(r"error: [A-Z_]+: \S", first)
    assert len(rest) == 1
    assert rest[0].startswith("hint: ")
    machine = run(*words, "--json", code=code)
    assert machine.stdout == ""
    contract = json.loads(machine.stderr)
    assert set(contract) == {"error_code", "message", "retryable", "details", "hint"}
    assert error_code in (None, contract["error_code"])


def test_a_file_that_is_no_database_is_one_clear_error(home):
    (home / "umbel.db").write_bytes(b"this is no database at all" * 100)
    done = run("queues", code=4)
    assert "STORAGE_CORRUPT" in done.stderr
    assert "umbel.db" in done.stderr


def test_debug_shows_the_traceback(home):
    done = subprocess.run(
        [*UMBEL, "queues", "pause", "x", "--debug"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 5
    assert done.stderr.startswith("Traceback")


@pytest.mark.parametrize("spec", ["shop:app", "shop"])
def test_the_app_names_the_broker_as_with_celery(home, store, spec):
    (home / "shop.py").write_text(APP.replace("umbel.db", "other.db"))
    with_app = open_store(f"sqlite:///{home}/other.db")
    with_app.publish("from-the-app", [message("a")])
    with_app.close()
    assert "from-the-app" in run("-A", spec, "queues").stdout
    assert "from-the-app" in run("queues", UMBEL_APP=spec).stdout
    assert "from-the-app" not in run("-A", spec, "-b", "sqlite:///umbel.db", "queues").stdout


def test_a_module_without_such_an_app_is_one_clear_error(home):
    (home / "shop.py").write_text(APP)
    for command in ("queues", "worker"):
        assert "module 'shop' has no attribute 'ap'" in run("-A", "shop:ap", command, code=3).stderr


def test_an_app_whose_import_fails_is_one_clear_error(home):
    (home / "shop.py").write_text("import no_such_library\n")
    done = run("-A", "shop:app", "queues", code=3)
    assert done.stderr.startswith(
        "error: CONFIGURATION_INVALID: -A shop:app: expected an app that can be imported, "
        "found no module named 'no_such_library'\n"
    )


def test_a_worker_runs_tasks_in_shards_and_never_imports_the_app_itself(home, store, eventually):
    (home / "shop.py").write_text(
        "import os, time\nfrom umbel import Umbel\nopen(f'imported-{os.getpid()}', 'w')\napp = Umbel('shop')\n"
        "@app.task\ndef nap(): time.sleep(60)\n"
    )
    words = ["-A", "shop", "worker", "--processes", "1", "--threads", "2", "-Q", "slow", "--drain-timeout", "100ms"]
    with (home / "worker.log").open("w") as log:
        worker = subprocess.Popen([*UMBEL, *words], stderr=log, stdout=log)
    try:
        sent = "from shop import nap; print(nap.apply_async(queue='slow').id)"
        task = subprocess.run([sys.executable, "-c", sent], capture_output=True, text=True, check=True).stdout.strip()

        def running() -> list[dict[str, str]]:
            return json.loads(run("workers", "running", "--json").stdout)["running"]

        eventually(running, within=30, claim="the body runs")
        (row,) = running()
        assert (row["task_id"], row["task"], row["queue"]) == (task, "shop.nap", "slow")
        assert task in run("workers", "running").stdout
        found = json.loads(run("tasks", "find", task, "--json").stdout)
        assert (found["state"], found["worker"]) == ("claimed", row["worker"])
        assert "control revoke" in run("tasks", "cancel", task, code=1).stderr
        imported = {int(path.name.removeprefix("imported-")) for path in home.glob("imported-*")}
        assert worker.pid not in imported
        worker.terminate()
        assert worker.wait(timeout=30) == 0, (home / "worker.log").read_text()
    finally:
        worker.kill()
        worker.wait()
    assert json.loads(run("tasks", "find", task, "--json").stdout)["state"] == "ready"
    assert json.loads(run("workers", "--json").stdout) == {"workers": []}


def test_the_commands_are_there_below_celery(home, store):
    (home / "shop.py").write_text(APP)
    store.publish("bulk", [message("a")])
    celery = [sys.executable, "-m", "celery", "-A", "shop", "umbel"]

    def below(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*celery, *words], capture_output=True, text=True, check=False, timeout=60)

    assert json.loads(below("queues", "--json").stdout)["queues"][0]["name"] == "bulk"
    assert "Operate:" in below("--help").stdout
    missing = below("queues", "pause", "nope", "--json")
    assert missing.returncode == 5
    assert json.loads(missing.stderr)["error_code"] == "QUEUE_NOT_FOUND"
    assert below("queues", "--frob").returncode == 2
    assert below("deadletters", "replay").stderr.startswith("error: USAGE: which dead letters?")


def test_a_reader_that_goes_away_ends_the_command_without_noise(store, bury):
    for number in range(3000):
        bury(task_id=f"t{number:04}" * 20)
    for option in ("", "--json"):
        listing = f"{' '.join(UMBEL)} deadletters list --limit 3000 {option}"
        command = f"{listing} 2>err | head -1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert done.stdout.splitlines()[-1] == "141"
        assert Path("err").read_text() == ""


def test_colours_are_for_terminals_and_can_be_refused(store, bury, monkeypatch):
    bury()
    assert "\x1b" not in run("deadletters").stdout
    coloured = Terminal("deadletters")
    coloured.end()
    assert "\x1b[31m" in coloured.shown
    refused = Terminal("deadletters", "-C")
    refused.end()
    assert "\x1b[3" not in refused.shown
    monkeypatch.setenv("NO_COLOR", "1")
    refused = Terminal("deadletters")
    refused.end()
    assert "\x1b[3" not in refused.shown


@pytest.mark.parametrize("columns", [80, 120])
def test_no_table_is_wider_than_its_terminal(store, bury, columns):
    name = "a-queue-with-quite-a-long-name.for-one-tenant"
    store.publish(name, [message("a")])
    store.register("celery-1@a-host-with-a-long-name.example.internal", lease=15)
    bury("shop.orders.a_task_with_a_long_dotted_name", task_id="0" * 36, error="A_VERY_LONG_ERROR_CODE_OF_A_GATEWAY")
    for words in (("queues",), ("workers",), ("deadletters",)):
        terminal = Terminal(*words, "-C", columns=columns)
        assert terminal.end() == 0
        lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown).splitlines()
        assert max(len(line) for line in lines) <= columns, terminal.shown
        assert "…" not in lines[0], "a heading was cut"
        piped = run(*words).stdout
        assert "…" not in piped
    assert name in run("queues").stdout


def test_the_reference_of_the_command_line_is_current():
    root = Path(__file__).resolve().parents[2]
    program = "import sys; sys.path.insert(0, 'tools'); from cli_reference import cli_page; print(cli_page(), end='')"
    page = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True).stdout
    assert page == (root / "docs/reference/cli.md").read_text(), "run: make references"
