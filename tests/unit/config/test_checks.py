from __future__ import annotations

import pytest

from umbel.errors import ConfigurationError, ConflictError, UnsupportedError


def where(error):
    return type(error), error.message, error.hint


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://localhost", "redis://127.0.0.1:6379"),
        ("redis://cache:6380/3", "rediss://cache:6380/3"),
        ("redis://h/0", "redis://h/1;redis://h/0"),
        ("redis+socket:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0"),
        ("redis://h/0?db=1", "redis://h/1"),
        ("redis://H/0", "redis://h/0"),
    ],
)
@pytest.mark.parametrize("section", ["broker", "results"])
def test_one_database_for_the_application_and_for_celery_is_a_conflict(project, redis, broker, section):
    project.default(f'[redis]\nurl = "{redis}"\n[{section}]\nurl = "{broker}"\n')
    assert where(project.fails()) == (
        ConflictError,
        (
            f"config/default.toml:2: redis.url: expected another database than {section}.url (config/default.toml:4), "
            f'found the same, "{redis}"'
        ),
        f'give [redis] database 0 and [{section}] database 1: {section}.url = "redis://host:6379/1"',
    )


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://h/0", "redis://h/1"),
        ("redis://h:6379/0", "redis://h:6380/0"),
        ("redis://one/0", "redis://two/0"),
        ("redis://h/0", "sqlite:///umbel.db"),
        ("redis+socket:///run/a.sock", "redis+socket:///run/b.sock"),
    ],
)
def test_different_databases_are_no_conflict(project, redis, broker):
    project.default(f'[redis]\nurl = "{redis}"\n[broker]\nurl = "{broker}"\n')
    assert project.load().redis.url == redis


def test_without_a_redis_of_the_application_celery_may_use_any_database(project):
    project.default('[broker]\nurl = "redis://h/0"\n[results]\nurl = "redis://h/0"\n')
    assert project.load().redis is None


def test_on_a_cluster_the_prefixes_must_differ(project):
    cluster = '[redis]\nurl = "redis+cluster://h"\nprefix = "{}"\n[broker]\nurl = "redis+cluster://h"\nprefix = "{}"\n'
    project.default(cluster.format("app:", "app:tasks:"))
    assert where(project.fails()) == (
        ConflictError,
        (
            "config/default.toml:3: redis.prefix: expected a prefix apart from broker.prefix (config/default.toml:6), "
            '"app:tasks:", on the same cluster, found "app:"'
        ),
        'set redis.prefix = "app:" and broker.prefix = "celery:"',
    )
    project.default(cluster.format("app:", ""))
    assert isinstance(project.fails(), ConflictError)
    project.default(cluster.format("app:", "celery:"))
    assert project.load().redis.prefix == "app:"


def test_a_cluster_has_one_database_only(project):
    project.default('broker.url = "redis+cluster://h/1"')
    assert where(project.fails()) == (
        UnsupportedError,
        'config/default.toml:1: broker.url: expected database 0, the only one of a cluster, found "redis+cluster://h/1"',
        "write /0, and keep the data apart by broker.prefix",
    )


def test_a_redis_database_is_a_number(project):
    project.default('broker.url = "redis://h/celery"')
    assert where(project.fails()) == (
        ConfigurationError,
        'config/default.toml:1: broker.url: expected a database number after the host, found "redis://h/celery"',
        "write redis://host:6379/1",
    )


@pytest.mark.parametrize(
    "url",
    [
        "redis://h/1",
        "rediss://h/1",
        "amqp://h//",
        "amqp://guest:guest@h//",
        "redis://u@h/1",
        "redis://:x@h/1;redis://g/1",
    ],
)
def test_a_broker_without_a_password_is_refused_outside_development(project, url):
    project.write(".env", f"UMBEL__BROKER__URL={url}\n")
    assert project.load().broker.url == url
    error = project.fails({"APP_ENV": "production"})
    assert error.message.startswith(
        ".env:1: broker.url: expected a password outside development (APP_ENV=production), found "
    )
    assert error.hint == "set UMBEL__BROKER__PASSWORD in .env or the environment, or broker.allow_anonymous = true"


@pytest.mark.parametrize(
    "said",
    [
        {"broker": {"url": "redis://:geheim@h/1"}},
        {"broker": {"url": "redis://h/1", "password": "geheim"}},
        {"broker": {"url": "redis://h/1", "allow_anonymous": True}},
        {"broker": {"url": "rediss://h/1?ssl_certfile=/etc/me.pem"}},
        {"broker": {"url": "amqps://h//"}, "celery": {"broker_use_ssl": {"certfile": "/etc/me.pem"}}},
        {"broker": {"url": "redis+socket:///run/redis.sock"}},
        {"broker": {"url": "postgresql://h/db"}},
        {"broker": {"url": "sqlite:///umbel.db"}},
        {"broker": {"url": "memory://"}},
        {"broker": {"url": "sqs://"}},
    ],
)
def test_a_broker_that_proves_who_it_is_or_needs_not_is_accepted_in_production(project, said):
    assert project.load({"APP_ENV": "production"}, overrides=said).app.environment == "production"


def test_a_result_backend_needs_a_password_too(project):
    error = project.fails({"APP_ENV": "production"}, overrides={"results": {"url": "redis://h/1"}})
    assert "results.url: expected a password outside development" in error.message
    assert error.hint == "set UMBEL__RESULTS__PASSWORD in .env or the environment, or results.allow_anonymous = true"


def test_the_soft_limit_comes_before_the_hard_one(project):
    project.default('[tasks]\nsoft_time_limit = "10m"\n')
    assert where(project.fails()) == (
        ConflictError,
        (
            "config/default.toml:2: tasks.soft_time_limit: expected less than tasks.time_limit (built-in default), "
            '"5m", found "10m"'
        ),
        "lower tasks.soft_time_limit or raise tasks.time_limit",
    )
    project.default('[tasks]\ntime_limit = "10s"\n')
    assert project.fails().message == (
        "config/default.toml:2: tasks.time_limit: expected more than tasks.soft_time_limit (built-in default), "
        '"4m", found "10s"'
    )
    project.default('[tasks]\ntime_limit = "none"\nsoft_time_limit = "10m"\n')
    assert project.load().tasks.time_limit is None


def test_the_first_pause_is_not_longer_than_the_longest(project):
    project.default('[tasks.retry]\nmax_delay = "1s"\nbackoff = "2s"\n')
    assert where(project.fails()) == (
        ConflictError,
        (
            "config/default.toml:3: tasks.retry.backoff: expected at most "
            'tasks.retry.max_delay (config/default.toml:2), "1s", found "2s"'
        ),
        "lower tasks.retry.backoff or raise tasks.retry.max_delay",
    )


def test_the_environment_is_said_by_app_env(project):
    error = project.fails({"UMBEL__APP__ENVIRONMENT": "production"})
    assert where(error) == (
        ConflictError,
        (
            'environment UMBEL__APP__ENVIRONMENT: app.environment: expected "development", as APP_ENV says, '
            'found "production"'
        ),
        "set APP_ENV=production, or remove app.environment",
    )
    agreeing = {"APP_ENV": "production", "UMBEL__APP__ENVIRONMENT": "production"}
    assert not project.load(agreeing).in_development


def test_a_password_is_said_in_one_place(project):
    error = project.fails({"UMBEL__BROKER__URL": "redis://:eins@h/1", "UMBEL__BROKER__PASSWORD": "zwei"})
    assert where(error) == (
        ConflictError,
        (
            "environment UMBEL__BROKER__PASSWORD: broker.password: expected a password in one place, "
            'found another in broker.url (environment UMBEL__BROKER__URL), "redis://:***@h/1"'
        ),
        "take it out of broker.url",
    )


@pytest.mark.parametrize("key", ["username", "password"])
def test_credentials_that_nobody_would_see_are_refused(project, key):
    error = project.fails(overrides={"broker": {key: "x"}})
    assert where(error) == (
        UnsupportedError,
        (
            f"argument of the program: broker.{key}: expected a server in broker.url to send it to, "
            'found "sqlite:///umbel.db"'
        ),
        f"remove broker.{key}",
    )


def test_the_stock_transport_cannot_keep_our_options(project):
    project.default('[broker]\ntransport = "stock"\nurl = "redis://h/1"\nlease = "5s"\n')
    assert where(project.fails()) == (
        UnsupportedError,
        (
            "config/default.toml:4: broker.lease: expected a transport of Umbel's, which keeps it, "
            'found "5s" for the stock transport'
        ),
        'remove broker.lease, or set broker.transport = "auto"',
    )


def test_a_prefix_needs_a_redis(project):
    project.default('[results]\nprefix = "a:"\n')
    assert where(project.fails()) == (
        UnsupportedError,
        (
            "config/default.toml:2: results.prefix: expected a Redis in results.url, whose keys can have a prefix, "
            'found "sqlite:///umbel.db"'
        ),
        "remove results.prefix",
    )
