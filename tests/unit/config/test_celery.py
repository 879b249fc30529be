from __future__ import annotations

import pytest
from celery import Celery

from umbel import _celery
from umbel.config import Settings, raw
from umbel.config.celery import SAFE_DEFAULTS, speaks_umbel, translate


def test_the_defaults_are_safe():
    assert translate(Settings()) == {
        "accept_content": ["json"],
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_pool_limit": 10,
        "broker_transport_options": {
            "busy_timeout": 10,
            "crash_limit": 3,
            "dedup_window": 3600,
            "lease": 15,
            "max_message_size": 16 * 1024 * 1024,
            "poll_interval": 0.5,
            "synchronous": "NORMAL",
        },
        "broker_url": "sqlite:///umbel.db",
        "enable_utc": True,
        "event_queue_expires": 60.0,
        "event_queue_ttl": 5.0,
        "event_serializer": "json",
        "result_accept_content": ["json"],
        "result_backend": "sqlite:///umbel.db",
        "result_backend_transport_options": {"busy_timeout": 10.0, "synchronous": "NORMAL"},
        "result_chord_expires": 30 * 86400,
        "result_expires": 3600,
        "result_serializer": "json",
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": True,
        "task_default_priority": 0,
        "task_default_queue": "celery",
        "task_publish_retry": True,
        "task_reject_on_worker_lost": True,
        "task_serializer": "json",
        "task_soft_time_limit": 240,
        "task_time_limit": 300,
        "task_track_started": False,
        "timezone": "UTC",
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_consumer": "umbel.worker.consumer:Consumer",
        "worker_hijack_root_logger": False,
        "worker_max_memory_per_child": None,
        "worker_max_tasks_per_child": 1000,
        "worker_prefetch_multiplier": 1,
    }


def test_only_settings_that_celery_has_come_out(project):
    loaded = project.load(overrides={"results": {"url": "redis://h/1", "prefix": "a:"}})
    assert set(translate(loaded)) <= set(_celery.setting_options())


@pytest.mark.parametrize(
    ("broker", "expected"),
    [
        ({"url": "sqlite:////data/x.db"}, "sqlite:////data/x.db"),
        ({"url": "memory://name"}, "umbel-memory://name"),
        ({"url": "redis://h/1", "password": "a/b@c"}, "redis://:a%2Fb%40c@h/1"),
        ({"url": "amqp://h//shop", "username": "shop", "password": "x"}, "amqp://shop:x@h//shop"),
        ({"url": "memory://", "transport": "stock"}, "memory://"),
        ({"url": "sqlite:///x.db", "transport": "stock"}, "sqla+sqlite:///x.db"),
    ],
)
def test_a_broker_becomes_the_url_of_its_transport(project, broker, expected):
    url = translate(project.load(overrides={"broker": broker}))["broker_url"]
    assert url == expected
    assert type(url) is str


@pytest.mark.parametrize(
    ("url", "expected"),
    [("memory://", "cache+memory://"), ("sqlite:///r.db", "sqlite:///r.db"), ("disabled://", "disabled://")],
)
def test_results_become_the_url_of_their_backend(project, url, expected):
    assert translate(project.load(overrides={"results": {"url": url}}))["result_backend"] == expected


def test_our_options_go_to_our_transports_only(project):
    assert "lease" in translate(project.load(overrides={"broker": {"url": "memory://"}}))["broker_transport_options"]
    for broker in ({"url": "redis://h/1"}, {"url": "memory://", "transport": "stock"}):
        loaded = project.load(overrides={"broker": broker})
        assert translate(loaded)["broker_transport_options"] == {}
        assert not speaks_umbel(loaded.broker)


def test_a_prefix_becomes_the_prefix_of_the_keys(project):
    said = {"broker": {"url": "redis://h/1", "prefix": "a:"}, "results": {"url": "redis://h/1", "prefix": "b:"}}
    conf = translate(project.load(overrides=said))
    assert conf["broker_transport_options"] == {"global_keyprefix": "a:"}
    assert conf["result_backend_transport_options"] == {"global_keyprefix": "b:"}


def test_raw_transport_options_join_ours(project):
    project.default("[celery.broker_transport_options]\nkeeper = false\n")
    options = translate(project.load())["broker_transport_options"]
    assert (options["keeper"], options["lease"]) == (False, 15)


@pytest.mark.parametrize("name", sorted(SAFE_DEFAULTS))
def test_a_default_without_a_key_of_ours_may_be_said_otherwise(name):
    option = _celery.setting_options()[name]
    value = {"bool": not SAFE_DEFAULTS[name], "int": 7, "float": 7.5}.get(option.type, ["other"])
    settings = Settings(celery={name: value})
    assert name not in raw.OWNED
    assert translate(settings)[name] == value


def test_what_is_handed_out_may_be_changed_without_changing_the_settings():
    settings = Settings(celery={"task_routes": {"a": {"queue": "b"}}})
    first = translate(settings)
    first["task_routes"]["a"]["queue"] = "c"
    first["accept_content"].append("pickle")
    assert translate(settings)["task_routes"] == {"a": {"queue": "b"}}
    assert translate(settings)["accept_content"] == ["json"]


def test_limits_that_are_none_are_none_in_celery(project):
    said = {
        "tasks": {"time_limit": "none", "soft_time_limit": "none"},
        "results": {"expires": "none", "chord_expires": "none"},
        "worker": {"max_tasks_per_shard": "none", "max_memory_per_shard": "256 MiB"},
    }
    conf = translate(project.load(overrides=said))
    names = ("task_time_limit", "task_soft_time_limit", "result_expires", "result_chord_expires")
    assert [conf[name] for name in (*names, "worker_max_tasks_per_child")] == [None] * 5
    assert conf["worker_max_memory_per_child"] == 256 * 1024


def test_celery_accepts_all_of_it():
    app = Celery(set_as_current=False)
    app.conf.update(translate(Settings()))
    assert app.conf.task_time_limit == 300
    assert app.conf.timezone == "UTC"
    assert app.conf.find_option is not None
