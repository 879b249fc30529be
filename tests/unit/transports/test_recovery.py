from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from umbel.events import ConsumerReaped, Event
from umbel.message import Envelope
from umbel.outcomes import Verdict
from umbel.transports.base import Claim, Store
from umbel.transports.recovery import reap_consumer, recover
from umbel.transports.registry import open_store
from umbel.transports.runtable import RunTable

CLAIM_AND_DIE = """
import os, pathlib, signal, sys
from umbel.transports.registry import open_store
from umbel.transports.runtable import RunTable

url, path, introduced, started = sys.argv[1:]
store = open_store(url)
table = RunTable.create(pathlib.Path(path), slots=8) if path else None
consumer = store.register("w@host", lease=60.0, run_table=path or None)
if table is not None:
    table.introduce(os.getpid(), consumer if introduced == "self" else introduced)
claims = store.claim("jobs", consumer, 10).claims
for slot, claim in enumerate(claims[: int(started)]):
    table.start(slot, claim.receipt, claim.envelope.task_id, 0.0, 0.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'queue.db'}"


@pytest.fixture
def store(url: str) -> Store:
    opened = open_store(url)
    opened.publish("jobs", [envelope("a"), envelope("b"), envelope("c")])
    return opened


@pytest.fixture(autouse=True)
def _closed(store: Store):
    yield
    store.close()


def envelope(task_id: str) -> Envelope:
    return Envelope(task_id=task_id, task="t", head=b"{}", body=b"[]")


def die(url: str, path: Path | str, *, introduced: str = "self", started: int = 0) -> None:
    """Claim everything in another process, start some bodies, and be killed."""
    arguments = [url, str(path), introduced, str(started)]
    done = subprocess.run([sys.executable, "-c", CLAIM_AND_DIE, *arguments], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def claims_of(store: Store) -> dict[str, Claim]:
    consumer = store.register("survivor", lease=60.0)
    return {claim.envelope.task_id: claim for claim in store.claim("jobs", consumer, 10).claims}


def test_a_body_that_ran_alone_is_blamed_and_its_neighbours_in_the_queue_are_not(
    store: Store, url: str, tmp_path: Path, heard: list[Event]
) -> None:
    path = tmp_path / "shard.run"
    die(url, path, started=1)
    (reaped,) = recover(store)
    assert (list(reaped.crashed), list(reaped.suspects), sorted(reaped.released)) == (["a"], [], ["b", "c"])
    claims = claims_of(store)
    assert [claims[task_id].crashes for task_id in "abc"] == [1, 0, 0]
    assert all(claim.redelivered for claim in claims.values())
    (event,) = [event for event in heard if isinstance(event, ConsumerReaped)]
    assert (event.crashed, event.suspects, event.verdicts) == (("a",), (), ())
    assert not path.exists()


def test_several_bodies_that_ran_are_suspects(store: Store, url: str, tmp_path: Path) -> None:
    die(url, tmp_path / "shard.run", started=2)
    (reaped,) = recover(store)
    assert (sorted(reaped.suspects), list(reaped.crashed), list(reaped.released)) == (["a", "b"], [], ["c"])
    claims = claims_of(store)
    assert [claims[task_id].suspect for task_id in "abc" if task_id in claims] == [True, True, False]


def test_nobody_is_blamed_when_nothing_had_started(store: Store, url: str, tmp_path: Path) -> None:
    die(url, tmp_path / "shard.run", started=0)
    (reaped,) = recover(store)
    assert sorted(reaped.released) == ["a", "b", "c"]
    assert not reaped.suspects
    assert not reaped.crashed


def test_without_a_run_table_all_that_was_claimed_is_suspect(store: Store, url: str) -> None:
    die(url, "")
    (reaped,) = recover(store)
    assert sorted(reaped.suspects) == ["a", "b", "c"]


def test_a_table_that_has_a_new_owner_is_not_believed_and_not_removed(store: Store, url: str, tmp_path: Path) -> None:
    path = tmp_path / "shard.run"
    die(url, path, introduced="somebody-else", started=1)
    (reaped,) = recover(store)
    assert sorted(reaped.suspects) == ["a", "b", "c"]
    table = RunTable.open(path)
    assert table is not None
    assert table.consumer == "somebody-else"
    table.close()


def test_the_limit_of_crashes_makes_a_verdict(store: Store, url: str, tmp_path: Path, heard: list[Event]) -> None:
    die(url, tmp_path / "shard.run", started=1)
    (reaped,) = recover(store, crash_limit=1)
    assert dict(reaped.verdicts) == {"a": Verdict.POISON}
    assert claims_of(store)["a"].verdict is Verdict.POISON
    assert ("a", "poison") in next(event.verdicts for event in heard if isinstance(event, ConsumerReaped))


def test_whoever_reaps_first_knows_what_the_supervisor_killed_it_for(store: Store, url: str, tmp_path: Path) -> None:
    die(url, tmp_path / "shard.run", started=2)
    table = RunTable.open(tmp_path / "shard.run")
    assert table is not None
    table.sentence(table.running()[0], Verdict.TIME_LIMIT)
    table.spare()
    table.close()
    (reaped,) = recover(store)
    assert dict(reaped.verdicts) == {"a": Verdict.TIME_LIMIT}
    assert (list(reaped.suspects), list(reaped.crashed)) == ([], [])


def test_a_second_recovery_finds_nothing(store: Store, url: str, tmp_path: Path) -> None:
    die(url, tmp_path / "shard.run", started=1)
    assert len(recover(store)) == 1
    assert recover(store) == []


def test_the_living_are_left_alone(store: Store, eventually: Callable[..., None]) -> None:
    consumer = store.register("alive", lease=60.0)
    assert len(store.claim("jobs", consumer, 10).claims) == 3
    assert recover(store) == []
    assert store.size("jobs") == 0


def test_a_supervisor_gives_its_own_verdicts(store: Store) -> None:
    consumer = store.register("shard", lease=60.0)
    claims = store.claim("jobs", consumer, 10).claims
    slow = claims[1].receipt
    reaped = reap_consumer(store, consumer, started=[slow], verdicts={slow: Verdict.TIME_LIMIT})
    assert dict(reaped.verdicts) == {"b": Verdict.TIME_LIMIT}
    assert store.consumers() == []
    again = claims_of(store)
    assert (again["b"].verdict, again["a"].verdict) == (Verdict.TIME_LIMIT, None)
