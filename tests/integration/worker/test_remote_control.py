"""What `celery inspect` and `celery control` see of a worker and do to it."""

import pytest


@pytest.fixture
def shards(mill):
    """The node names of a worker of two shards."""
    mill.start("--processes", "2", "--threads", "2", "-Q", "celery,bulk")
    return {"w0-1@test", "w0-2@test"}


def test_every_shard_answers_as_a_node_even_while_its_bodies_are_busy(mill, shards):
    busy = [mill.send("grind", f"busy{number}", 3) for number in range(4)]
    for number in range(4):
        mill.started(f"busy{number}")
    inspect = mill.app.control.inspect(timeout=5, limit=2)
    assert set(inspect.ping()) == shards
    ids = {sent.id for sent in busy}
    mill.until(
        lambda: {request["id"] for requests in inspect.active().values() for request in requests} == ids,
        within=2,
        claim="all bodies that run are shown",
    )
    assert all("mill.grind" in names for names in inspect.registered().values())
    assert {queue["name"] for queues in inspect.active_queues().values() for queue in queues} == {"celery", "bulk"}
    stats = inspect.stats()
    assert {node["pool"]["max-concurrency"] for node in stats.values()} == {2}
    assert {node["pid"] for node in stats.values()} == {shard.pid for shard in mill.workers[0].shards}


def test_shards_share_the_work_of_all_queues(mill, shards):
    for number in range(40):
        mill.send("grind", f"{number}", 0.05, queue="bulk" if number % 2 else "celery")
    mill.settled()
    assert sorted(mill.labels("end"), key=int) == [str(number) for number in range(40)]
    assert len({effect.pid for effect in mill.effects()}) == 2


def test_a_waiting_task_that_is_revoked_never_runs(mill, shards):
    slow = [mill.send("grind", f"slow{number}", 1.5) for number in range(4)]
    for number in range(4):
        mill.started(f"slow{number}")
    waiting = mill.send("grind", "waiting")
    mill.app.control.revoke(waiting.id)
    for sent in slow:
        mill.result(sent)
    mill.until(lambda: waiting.state == "REVOKED", claim="the task is revoked")
    mill.settled()
    assert "waiting" not in mill.labels()


def test_a_body_of_a_thread_is_not_terminated_and_whoever_asks_is_told(mill, shards):
    running = mill.send("grind", "running", 1.5)
    mill.started("running")

    def refused():
        return "a shard of threads" in str(mill.app.control.revoke(running.id, terminate=True, reply=True, limit=2))

    mill.until(refused, within=1.4, claim="the shard that runs it refuses")
    # The other shard calls it revoked, as Celery's nodes do; its success has the last word.
    mill.until(lambda: mill.app.AsyncResult(running.id).state == "SUCCESS", claim="the task has succeeded")
    assert mill.labels("end") == ["running"]


def test_a_revoke_outlives_the_shards_that_heard_it(mill, shards):
    later = mill.send("grind", "later", countdown=4)
    mill.app.control.revoke(later.id)
    mill.until(
        lambda: all(mill.app.control.inspect(timeout=5, limit=2).revoked().values()), claim="every shard has heard"
    )
    for shard in mill.workers[0].shards:
        shard.kill()
    mill.until(lambda: later.state == "REVOKED", claim="the task is revoked")
    mill.settled()
    assert "later" not in mill.labels()


def test_control_shutdown_ends_the_worker_for_good(mill, shards):
    running = mill.send("grind", "running", 1)
    mill.started("running")
    mill.app.control.shutdown(destination=["w0-1@test"])
    assert mill.workers[0].wait() == 0
    assert isinstance(mill.result(running), int)
    assert mill.labels("end") == ["running"]


def rate(times):
    """Return how many a second, without the first few, which may come at once."""
    times = sorted(times)[4:]
    return (len(times) - 1) / (times[-1] - times[0])


def test_a_rate_limit_holds_for_the_worker_as_a_whole_and_hoards_nothing(mill, shards):
    for number in range(60):
        mill.send("drip", f"{number}")
    mill.until(lambda: len(mill.labels()) > 5, claim="the first tasks have run")
    assert mill.counts().claimed < 30
    mill.send("grind", "unlimited")
    mill.until(lambda: "unlimited" in mill.labels("end"), within=2, claim="others are not kept waiting")
    mill.settled()
    drips = [effect.at for effect in mill.effects("start") if effect.label != "unlimited"]
    assert len(drips) == 60
    assert 12 < rate(drips) < 21


def test_control_rate_limit_sets_the_rate_of_the_worker_as_a_whole(mill, shards):
    replies = mill.app.control.rate_limit("mill.grind", "15/s", reply=True)
    assert {name for reply in replies for name in reply} == shards
    for number in range(40):
        mill.send("grind", f"{number}")
    mill.settled()
    assert 9 < rate([effect.at for effect in mill.effects("start")]) < 16
