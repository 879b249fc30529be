from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import celery
import pytest

import umbel
from umbel import Retry, Umbel
from umbel.config import Settings
from umbel.errors import ConfigurationError, UnsupportedError
from umbel.tasks import Declared


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(**options: Any) -> Umbel:
    return Umbel("shop", **{"set_as_current": False, "broker": "memory://", "backend": "cache+memory://"} | options)


def test_umbel_can_stand_in_for_celery() -> None:
    from umbel import Umbel as Celery

    app = Celery("shop", broker="memory://", backend="cache+memory://", include=["json"], set_as_current=False)
    assert isinstance(app, celery.Celery)
    assert app.main == "shop"
    assert app.conf.include == ["json"]


def test_the_defaults_are_safe() -> None:
    conf = make().conf
    assert conf.task_acks_late is True
    assert conf.task_reject_on_worker_lost is True
    assert conf.accept_content == ["json"]
    assert conf.task_time_limit == 300
    assert conf.result_expires == 3600
    assert conf.worker_consumer == "umbel.worker.consumer:Consumer"


def test_sqlite_is_the_default() -> None:
    app = Umbel("shop", set_as_current=False)
    assert app.conf.broker_url == app.conf.result_backend == "sqlite:///umbel.db"


def test_a_url_in_the_call_wins_over_the_configuration() -> None:
    app = make(broker="sqlite:///other.db", settings=Settings())
    assert app.conf.broker_url == "sqlite:///other.db"
    assert app.settings.broker.url == "sqlite:///other.db"


def test_memory_is_ours() -> None:
    app = make()
    assert app.settings.broker.url == "memory://"
    assert app.connection_for_write().transport_cls == "umbel-memory"
    assert app.connection_for_read("memory://other").transport_cls == "umbel-memory"


def test_what_the_code_says_wins_over_umbels_defaults_before_and_after_loading() -> None:
    app = make()
    app.conf.task_acks_late = False
    assert app.conf.task_acks_late is False
    app.config_from_object({"task_time_limit": 77})
    assert app.conf.task_time_limit == 77
    assert app.conf.task_reject_on_worker_lost is True
    app.config_from_object({"task_time_limit": 78}, force=True)
    assert app.conf.task_time_limit == 78
    assert app.conf.task_reject_on_worker_lost is True


def test_a_broker_that_the_code_names_is_the_one_of_the_settings_too() -> None:
    app = Umbel("shop", set_as_current=False, backend="cache+memory://")
    app.config_from_object({"broker_url": "redis://localhost/1"})
    assert app.conf.broker_url == "redis://localhost/1"
    assert app.settings.broker.url == "redis://localhost/1"
    assert "lease" not in app.conf.broker_transport_options


def test_settings_with_a_namespace_are_read() -> None:
    app = Umbel("shop", set_as_current=False, namespace="CELERY", broker="memory://", backend="cache+memory://")
    app.config_from_object({"CELERY_TASK_TIME_LIMIT": 77}, namespace="CELERY")
    assert app.conf.task_time_limit == 77
    assert app.conf.task_acks_late is True


def test_the_configuration_is_read_from_the_folder_that_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "default.toml").write_text('[tasks]\ntime_limit = "7m"\n')
    assert make(config_dir=folder).conf.task_time_limit == 420


def test_a_wrong_configuration_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default.toml").write_text("[tasks]\ntime_limt = 3\n")
    with pytest.raises(ConfigurationError, match="time_limit"):
        make()


def test_a_declared_rule_leaves_the_method_retry_alone() -> None:
    app = make()

    @app.task(shared=False, retry=Retry(attempts=2), dead_letter=False)
    def body() -> None: ...

    assert callable(body.retry)
    assert body.declared == Declared(retry=Retry(attempts=2), dead_letter=False)


def test_a_queue_can_be_declared_without_a_warning() -> None:
    app = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @app.task(shared=False, queue="critical", priority=5, lazy=False)
        def body() -> None: ...

    assert (body.queue, body.priority) == ("critical", 5)


def test_declared_options_do_not_harm_a_plain_app_of_the_same_process() -> None:
    app = make()

    @app.task(name="both", retry=Retry(attempts=2))
    def body() -> None: ...

    plain = celery.Celery("plain", set_as_current=False)
    plain.finalize()
    assert callable(plain.tasks["both"].retry)


def test_a_shared_task_has_declared_options_on_any_app() -> None:
    @umbel.shared_task(name="shared", retry=Retry(attempts=2))
    def body() -> None: ...

    ours, plain = make(), celery.Celery("plain", set_as_current=False)
    assert ours.tasks["shared"].declared.retry == Retry(attempts=2)
    assert callable(ours.tasks["shared"].retry)
    assert callable(plain.tasks["shared"].retry)


def test_a_shared_task_of_celerys_may_declare_too() -> None:
    @celery.shared_task(name="shared by celery", dead_letter=False)
    def body() -> None: ...

    assert make().tasks["shared by celery"].declared.dead_letter is False


def test_a_short_time_limit_alone_is_no_contradiction() -> None:
    app = make()

    @app.task(shared=False, time_limit=10)
    def body() -> None: ...

    app.finalize()
    assert body.soft_time_limit == 8
    body.apply_async()


def test_an_app_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(make()))
    assert isinstance(again, Umbel)
    assert again.conf.task_acks_late is True


def test_a_store_is_opened_where_the_broker_is(tmp_path: Path) -> None:
    store = make(broker=f"sqlite:///{tmp_path}/shop.db").open_store()
    assert store.queues() == []
    store.close()
    assert (tmp_path / "shop.db").exists()


def test_a_broker_without_a_store_is_said_so() -> None:
    app = Umbel("shop", set_as_current=False, broker="redis://:secret@localhost/1", backend="cache+memory://")
    with pytest.raises(UnsupportedError, match=r"expected sqlite:// or memory://, found 'redis://:\*\*\*@localhost/1'"):
        app.open_store()
