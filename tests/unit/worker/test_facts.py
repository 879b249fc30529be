"""What a worker cannot run on is refused before anything is forked."""

import pytest

from umbel import Umbel
from umbel.errors import UnsupportedError
from umbel.worker.facts import gather
from umbel.worker.options import WorkerOptions


def test_a_broker_that_lives_in_one_process_is_refused():
    app = Umbel("facts", broker="memory://", set_as_current=False)
    with pytest.raises(UnsupportedError, match="lives in one process") as refused:
        gather(app, WorkerOptions())
    assert "sqlite:///FILE" in refused.value.hint


def test_a_broker_without_a_transport_is_refused():
    app = Umbel("facts", broker="postgresql://localhost/queue", set_as_current=False)
    with pytest.raises(UnsupportedError, match=r"postgresql://… has no transport here"):
        gather(app, WorkerOptions())


def test_options_win_over_settings(tmp_path):
    app = Umbel("facts", broker=f"sqlite:///{tmp_path}/facts.db", set_as_current=False)
    facts = gather(app, WorkerOptions(processes=3, threads=2, queues=("a", "b"), max_tasks_per_shard=7))
    assert (facts.processes, facts.threads, facts.queues, facts.max_tasks, facts.min_age) == (3, 2, ("a", "b"), 7, 0.0)
    assert gather(app, WorkerOptions()).min_age == app.settings.worker.min_shard_age.total_seconds()
