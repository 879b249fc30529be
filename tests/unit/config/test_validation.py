from __future__ import annotations

import pytest

from umbel.config.keys import Key, keys
from umbel.errors import ConfigurationError, UnknownKeyError

DURATION = 'a duration such as "15s", "5m" or "1h 30m"'
SIZE = 'a size such as "256 MiB" or "50 MB"'


@pytest.mark.parametrize(
    ("toml", "message", "hint"),
    [
        (
            "tasks.time_limit = 300",
            f'tasks.time_limit: expected {DURATION}, more than "0s" or "none", found the integer 300',
            'add its unit: write "5m" if seconds are meant',
        ),
        (
            "broker.lease = 1.5",
            f'broker.lease: expected {DURATION}, at least "1s", found the number 1.5',
            'add its unit: write "1s 500ms" if seconds are meant',
        ),
        (
            "broker.lease = true",
            f'broker.lease: expected {DURATION}, at least "1s", found the boolean true',
            f"write {DURATION}",
        ),
        (
            'broker.lease = "0s"',
            f"broker.lease: expected {DURATION}, at least \"1s\", found the text '0s'",
            'change it, or remove it for the default "15s"',
        ),
        (
            "broker.max_message_size = 1024",
            f'broker.max_message_size: expected {SIZE}, more than "0 B", found the integer 1024',
            'add its unit: write "1 KiB" if bytes are meant',
        ),
        (
            'worker.max_memory_per_shard = "256M"',
            f'worker.max_memory_per_shard: expected {SIZE}, more than "0 B" or "none", found the text \'256M\'',
            '"256 M" is ambiguous: write "256 MiB" or "256 MB"',
        ),
        (
            'worker.threads = "four"',
            "worker.threads: expected an integer >= 1, found the text 'four'",
            "change it, or remove it for the default 4",
        ),
        (
            'worker.threads = "4"',
            "worker.threads: expected an integer >= 1, found the text '4'",
            "change it, or remove it for the default 4",
        ),
        (
            "worker.threads = true",
            "worker.threads: expected an integer >= 1, found the boolean true",
            "change it, or remove it for the default 4",
        ),
        (
            "worker.processes = 0",
            'worker.processes: expected an integer >= 1 or "auto", found the integer 0',
            'change it, or remove it for the default "auto"',
        ),
        (
            "tasks.default_priority = 10",
            "tasks.default_priority: expected an integer from 0 to 9, found the integer 10",
            "change it, or remove it for the default 0",
        ),
        (
            'tasks.acks_late = "yes"',
            "tasks.acks_late: expected true or false, found the text 'yes'",
            "change it, or remove it for the default true",
        ),
        (
            'logging.level = "warn"',
            'logging.level: expected one of "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", found the text \'warn\'',
            'did you mean "WARNING"?',
        ),
        (
            'app.name = ""',
            "app.name: expected text, not empty, found the text ''",
            'change it, or remove it for the default "umbel"',
        ),
        (
            "app.name = [1, 2]",
            "app.name: expected text, not empty, found a list of 2",
            'change it, or remove it for the default "umbel"',
        ),
        (
            "worker.health_file = 3",
            'worker.health_file: expected a path or "none", found the integer 3',
            'change it, or remove it for the default "none"',
        ),
        (
            'broker = "redis://h"',
            "broker: expected a table [broker], found the text 'redis://h'",
            "write [broker] on a line of its own and its keys below it",
        ),
        (
            "tasks.retry = 5",
            "tasks.retry: expected a table [tasks.retry], found the integer 5",
            "write [tasks.retry] on a line of its own and its keys below it",
        ),
        (
            "[redis]\nmax_connections = 5",
            (
                "redis.url: expected a URL with one of the schemes redis, rediss, redis+socket, redis+cluster, "
                "rediss+cluster, sentinel, found nothing"
            ),
            "set redis.url, or UMBEL__REDIS__URL in .env or the environment",
        ),
    ],
)
def test_a_wrong_value_names_key_expectation_value_and_remedy(project, toml, message, hint):
    project.default(toml)
    error = project.fails()
    assert type(error) is ConfigurationError
    assert (error.message, error.hint) == (f"config/default.toml:1: {message}", hint)
    [problem] = error.details["problems"]
    assert problem["origin"] == "config/default.toml:1"
    assert problem["message"] == error.message


BROKERS = (
    "a URL with one of the schemes sqlite, memory, redis, rediss, redis+socket, redis+cluster, rediss+cluster, "
    "sentinel, amqp, amqps, postgresql, postgres, or of any transport of Celery's"
)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgress://h/db", "did you mean postgres://?"),
        ("rediis://h/1", "did you mean redis://?"),
        ("umbel.db", 'write scheme://..., such as "sqlite:///umbel.db"'),
        ("sqlite://umbel.db", 'write "sqlite:///relative.db" or "sqlite:////absolute/path.db"'),
        ("sqlite:///", 'write "sqlite:///relative.db" or "sqlite:////absolute/path.db"'),
        (
            "redis://h:port/1",
            "a port is a number up to 65535; in a password, write / as %2F, @ as %40, : as %3A and # as %23",
        ),
    ],
)
def test_a_wrong_url_says_what_to_write(project, url, hint):
    error = project.fails({"UMBEL__BROKER__URL": url})
    assert error.message == f"environment UMBEL__BROKER__URL: broker.url: expected {BROKERS}, found the text {url!r}"
    assert error.hint == hint


def test_a_wrong_url_with_a_password_is_shown_without_it(project):
    error = project.fails({"UMBEL__BROKER__URL": "rediz://:geheim@h/1"})
    assert error.message.endswith("found the URL 'rediz://:***@h/1'")
    assert "geheim" not in str(error.contract())


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///umbel.db",
        "sqlite:////var/lib/umbel.db",
        "memory://",
        "memory://name",
        "redis://localhost:6379/1",
        "rediss+cluster://h",
        "redis+socket:///run/redis.sock",
        "amqp://h//",
        "postgresql+psycopg://h/db",
        "sqs://",
        "sqla+sqlite:///x.db",
        "redis://a/1;redis://b/1",
    ],
)
def test_every_broker_of_ours_or_of_celerys_is_accepted(project, url):
    assert project.load({"UMBEL__BROKER__URL": url}).broker.url == url


@pytest.mark.parametrize("url", ["disabled://", "rpc://", "db+postgresql://h/db", "cache+memory://", "sqlite:///r.db"])
def test_every_result_backend_of_ours_or_of_celerys_is_accepted(project, url):
    assert project.load({"UMBEL__RESULTS__URL": url}).results.url == url


@pytest.mark.parametrize(
    ("toml", "key", "hint"),
    [
        ("[broker]\nleese = 1", "broker.leese", "did you mean broker.lease?"),
        ("[worker]\nlease = 1", "worker.lease", "did you mean broker.lease?"),
        ("[brokr]\nurl = 1", "brokr", "did you mean broker?"),
        ("\nthreads = 4", "threads", "did you mean worker.threads?"),
        ("[tasks.retry]\nattemps = 4", "tasks.retry.attemps", "did you mean tasks.retry.attempts?"),
        ("[logging]\nqqqqq = 4", "logging.qqqqq", "the keys here are level"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(project, toml, key, hint):
    project.default(toml)
    error = project.fails()
    assert isinstance(error, UnknownKeyError)
    line = 1 if key == "brokr" else 2
    name = key.rpartition(".")[2]
    assert error.message == (
        f"config/default.toml:{line}: {key}: expected a key that Umbel knows, found the unknown key {name!r}"
    )
    assert error.hint == hint


def test_an_unknown_variable_is_answered_with_a_variable(project):
    error = project.fails({"UMBEL__BROKER__LEESE": "5s"})
    assert error.message.startswith("environment UMBEL__BROKER__LEESE: broker.leese: expected a key that Umbel knows")
    assert error.hint == "did you mean UMBEL__BROKER__LEASE?"


@pytest.mark.parametrize("name", ["UMBEL_BROKER__LEASE", "umbel__broker__lease"])
def test_a_variable_that_misses_the_prefix_by_a_hair_is_not_ignored(project, name):
    error = project.fails({name: "5s"})
    assert name in error.message
    if name == "UMBEL_BROKER__LEASE":
        assert error.message.endswith("expected a variable that Umbel reads, found one that would be ignored")
        assert error.hint == "did you mean UMBEL__BROKER__LEASE?"


@pytest.mark.parametrize("name", ["UMBEL_WORKER_HEALTH_PORT", "UMBEL_OTHER__THING", "UMBEL_APP"])
def test_a_variable_that_may_be_anothers_is_left_alone(project, name):
    assert project.load({name: "tcp://10.0.0.1:80"}) == project.load({})


@pytest.mark.parametrize("key", keys().values(), ids=lambda key: key.name)
def test_every_key_is_described_and_says_what_it_expects(key: Key):
    assert key.description.endswith(".")
    assert key.expectation


@pytest.mark.parametrize("key", keys().values(), ids=lambda key: key.name)
def test_every_key_refuses_a_table(project, key: Key):
    table = {"wrong": 1}
    for name in reversed(key.path):
        table = {name: table}
    names = {problem["key"] for problem in project.fails(overrides=table).details["problems"]}
    assert key.name in names
