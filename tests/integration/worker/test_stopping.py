"""How a worker ends: drained, released at once, or with everything that it had started."""

import signal
import time

import pytest


def start_busy(mill, *words, seconds=2.0):
    """Start a worker of one slot with one task that runs and three that wait."""
    worker = mill.start("--processes", "1", "--threads", "1", *words)
    running = mill.send("grind", "running", seconds)
    mill.started("running")
    for number in range(3):
        mill.send("grind", f"waiting{number}")
    return worker, running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_finishes_what_runs_and_leaves_what_waits(mill, number):
    worker, running = start_busy(mill, seconds=1.0)
    worker.send(number)
    assert worker.wait() == 0
    assert isinstance(mill.result(running, within=1), int)
    assert mill.labels("end") == ["running"]
    counts = mill.counts()
    assert (counts.ready, counts.claimed) == (3, 0)
    mill.start("--processes", "1")
    mill.settled()
    assert sorted(mill.labels("end")) == ["running", "waiting0", "waiting1", "waiting2"]


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT,)])
def test_a_second_signal_or_quit_releases_at_once_without_blame(mill, signals):
    worker, _ = start_busy(mill, seconds=60)
    started = time.monotonic()
    for number in signals:
        worker.send(number)
        time.sleep(0.3)  # two equal signals at once are one
    assert worker.wait(5) == 0
    assert time.monotonic() - started < 4
    counts = mill.counts()
    assert (counts.ready, counts.claimed) == (4, 0)
    claims = claim_all(mill)
    assert [(claim.crashes, claim.suspect, claim.verdict) for claim in claims] == [(0, False, None)] * 4


def claim_all(mill):
    consumer = mill.store.register("reader", lease=10)
    claims = mill.store.claim("celery", consumer, 10).claims
    mill.store.retire(consumer)
    return claims


def test_the_drain_timeout_releases_what_still_runs(mill):
    worker, _ = start_busy(mill, "--drain-timeout", "1s", seconds=60)
    worker.send(signal.SIGTERM)
    assert worker.wait(6) == 0
    counts = mill.counts()
    assert (counts.ready, counts.claimed) == (4, 0)
    assert not any(claim.crashes or claim.suspect for claim in claim_all(mill))


def test_a_body_that_holds_the_interpreter_lock_cannot_stop_a_worker_from_ending(mill):
    worker = mill.start("--processes", "1", "--threads", "1", "--drain-timeout", "1s")
    mill.send("jam", "jam")
    mill.started("jam")
    worker.send(signal.SIGTERM)
    assert worker.wait(8) == 0
    assert mill.counts().ready == 1


def test_what_a_killed_supervisor_had_started_is_gone_within_a_second(mill, runs):
    worker = mill.start("--processes", "2", "--threads", "1")
    mill.send("jam", "jam")
    mill.send("grind", "grind", 60)
    mill.started("jam")
    mill.started("grind")
    below = worker.everyone()[1:]
    assert len(below) == 3
    worker.process.kill()
    mill.until(lambda: not any(map(runs, below)), within=1, claim="all of them are gone")


def test_what_a_killed_worker_held_runs_again_on_the_next(mill):
    worker, _ = start_busy(mill, seconds=1)
    worker.end()
    mill.start("--processes", "1", "--threads", "2")
    mill.settled()
    assert sorted(mill.labels("end")) == ["running", "waiting0", "waiting1", "waiting2"]


def test_a_worker_that_still_loads_its_application_ends_when_it_is_told(mill, runs):
    (mill.folder / "slowly.py").write_text("import time\nopen('loading', 'w').close()\ntime.sleep(60)\n")
    worker = mill.start("--processes", "1", app="slowly:app", wait=False)
    mill.until((mill.folder / "loading").exists, claim="the application is being loaded")
    below = worker.everyone()[1:]
    worker.send(signal.SIGTERM)
    assert worker.wait(5) == 0
    mill.until(lambda: not any(map(runs, below)), within=1, claim="nothing is left")
    assert "Traceback" not in worker.log


def test_nothing_of_a_worker_that_has_ended_is_left(mill, runs):
    tables = mill.folder / "tables"
    worker = mill.start("--processes", "2", "--state-dir", str(tables))
    mill.app.control.revoke("some-task", reply=True)
    everyone = worker.everyone()
    assert len(list(tables.iterdir())) == 3
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert list(tables.iterdir()) == []
    assert not worker.health.exists()
    mill.until(lambda: not any(map(runs, everyone)), within=1, claim="nothing is left")
    assert not [consumer for consumer in mill.store.consumers() if consumer.name.startswith("w0")]
