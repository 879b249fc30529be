"""What a worker tells probes, and what it costs when nothing happens."""

import json
import signal
import socket
import sys
import time
import urllib.error
import urllib.request

import pytest


@pytest.fixture
def port():
    with socket.create_server(("", 0)) as free:
        return free.getsockname()[1]


def probe(port, page):
    """Return the status and the body; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/{page}", timeout=2) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer)
    except urllib.error.URLError:
        return 0, {}


def test_probes_follow_a_worker_from_its_start_to_its_end(mill, port):
    (mill.folder / "late.py").write_text(
        "import time\nfrom celery import signals\nfrom mill import app\n"
        "@signals.worker_process_init.connect\ndef wait(**_):\n    time.sleep(1.5)\n"
    )
    worker = mill.start("--processes", "2", "--threads", "1", "--health-port", str(port), app="late:app", wait=False)
    mill.until(lambda: probe(port, "live")[0] == 200, claim="it lives")
    status, report = probe(port, "ready")
    assert (status, report["status"]) == (503, "starting")
    mill.until(worker.is_ready, claim="the worker is ready")
    status, report = probe(port, "ready")
    assert (status, report["status"], report["ready"]) == (200, "ready", 2)
    assert {shard["pid"] for shard in report["shards"]} == {shard.pid for shard in worker.shards}
    assert worker.status == "ready"
    assert probe(port, "elsewhere")[0] == 404
    mill.send("grind", "running", 2)
    mill.started("running")
    worker.send(signal.SIGTERM)
    mill.until(lambda: probe(port, "ready")[0] == 503, within=1, claim="it is not ready any more")
    assert probe(port, "ready")[1]["status"] == "draining"
    assert probe(port, "live")[0] == 200
    mill.until(lambda: worker.status == "draining", within=2, claim="the file says so too")
    assert worker.wait() == 0
    assert probe(port, "live")[0] == 0
    assert not worker.health.exists()


def test_a_worker_without_work_costs_next_to_nothing(mill, record_property):
    worker = mill.start("--processes", "2", "--threads", "4")
    mill.send("grind", "warm")
    mill.settled()
    everyone = worker.everyone()
    assert len(everyone) == 4
    time.sleep(0.5)  # until what was just started has calmed down

    def spent():
        return sum(times.user + times.system for times in (process.cpu_times() for process in everyone))

    before, since = spent(), time.monotonic()
    time.sleep(3)  # the time that is measured
    share = (spent() - before) / (time.monotonic() - since)
    record_property("idle_worker_share_of_a_core", share)
    sys.stdout.write(f"an idle worker of 2 shards with 4 threads used {share:.1%} of a core\n")
    assert share < 0.10
