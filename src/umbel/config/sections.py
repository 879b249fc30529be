"""The sections of the settings: every key with its type, its default, its bounds and what it means.

This is the only list of keys. The JSON Schema, the reference page, the files of ``umbel config init``
and the texts of the errors are all made from it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from umbel.config.durations import Duration
from umbel.config.section import FilePath, Section
from umbel.config.sizes import Bytes, Size
from umbel.config.urls import Url, UrlRule

__all__ = [
    "AppSettings",
    "BrokerSettings",
    "DatabaseSettings",
    "DeadLetterSettings",
    "LoggingSettings",
    "RedisSettings",
    "ResultSettings",
    "RetrySettings",
    "TaskSettings",
    "WorkerSettings",
]

_REDIS = ("redis", "rediss", "redis+socket", "redis+cluster", "rediss+cluster", "sentinel")
_POSTGRES = ("postgresql", "postgres")
_ZERO = timedelta(0)

BrokerUrl = Annotated[
    Url, AfterValidator(UrlRule(("sqlite", "memory", *_REDIS, "amqp", "amqps", *_POSTGRES), family="transport"))
]
ResultUrl = Annotated[
    Url, AfterValidator(UrlRule(("sqlite", "memory", *_REDIS, *_POSTGRES, "disabled"), family="result backend"))
]
RedisUrl = Annotated[Url, AfterValidator(UrlRule(_REDIS))]
DatabaseUrl = Annotated[Url, AfterValidator(UrlRule(("sqlite", *_POSTGRES)))]


class AppSettings(Section):
    """Which application this is, and where it runs."""

    name: str = Field("umbel", min_length=1)
    """The application's name."""
    environment: str = "development"
    """The environment. APP_ENV sets it, because it also chooses the file; said here as well, it must agree."""


class BrokerSettings(Section):
    """Where messages wait."""

    url: BrokerUrl = Url("sqlite:///umbel.db")
    """The broker. A SQLite path is relative to the working directory. A password belongs in broker.password."""
    transport: Literal["auto", "stock"] = "auto"
    """auto is Umbel's transport where it has one for the URL's scheme, stock is kombu's own."""
    username: str | None = None
    """The user name, where the URL has none."""
    password: SecretStr | None = None
    """The password; put into the URL."""
    allow_anonymous: bool = False
    """Accept a network broker without a password outside development."""
    prefix: str = ""
    """What the broker's keys start with on Redis; on a cluster it keeps them apart from the application's."""
    lease: Duration = Field(timedelta(seconds=15), ge=timedelta(seconds=1))
    """How long a consumer of another host counts as alive without a sign of life; renewed three times as often."""
    busy_timeout: Duration = Field(timedelta(seconds=10), ge=_ZERO)
    """How long to wait for SQLite's write lock before the operation fails."""
    synchronous: Literal["OFF", "NORMAL", "FULL", "EXTRA"] = "NORMAL"
    """SQLite's durability. NORMAL survives a crash of any process; only FULL also survives a power loss."""
    poll_interval: Duration = Field(timedelta(milliseconds=500), gt=_ZERO)
    """How often an idle consumer looks for messages that nothing woke it for."""
    max_message_size: Size = Field(Bytes(16 * 1024**2), gt=0)
    """The largest message that is published or run."""
    dedup_window: Duration = Field(timedelta(hours=1), ge=_ZERO)
    """How long the repeat of a retry or of a continuation is recognised and dropped."""


class ResultSettings(Section):
    """Where results are kept."""

    url: ResultUrl = Url("sqlite:///umbel.db")
    """The result backend; disabled:// keeps no results. A password belongs in results.password."""
    username: str | None = None
    """The user name, where the URL has none."""
    password: SecretStr | None = None
    """The password; put into the URL."""
    allow_anonymous: bool = False
    """Accept a network result backend without a password outside development."""
    prefix: str = ""
    """What the results' keys start with on Redis; on a cluster it keeps them apart from the application's."""
    expires: Duration | None = Field(timedelta(hours=1), gt=_ZERO)
    """How long a result is kept; "none" keeps it for ever."""
    chord_expires: Duration | None = Field(timedelta(days=30), gt=_ZERO)
    """How long an unfinished chord waits for its parts; none waits for ever. A dead part that is replayed later no
    longer completes its chord."""


class RedisSettings(Section):
    """The application's own Redis. It must not be the database of the broker or of the results."""

    url: RedisUrl
    """The server and the database, by custom 0 (the broker and the results have 1)."""
    username: str | None = None
    """The user name, where the URL has none."""
    password: SecretStr | None = None
    """The password; put into the URL."""
    prefix: str = ""
    """What the application's keys start with; on a cluster it keeps them apart from the broker's."""
    max_connections: int = Field(50, ge=1)
    """The bound of the connection pool."""
    connect_timeout: Duration = Field(timedelta(seconds=2), gt=_ZERO)
    """How long to wait for a connection."""
    socket_timeout: Duration = Field(timedelta(seconds=5), gt=_ZERO)
    """How long to wait for an answer."""


class DatabaseSettings(Section):
    """The SQL database of what is not a message: schedules, history, outbox, users."""

    url: DatabaseUrl = Url("sqlite:///umbel.db")
    """The database. A password belongs in database.password."""
    username: str | None = None
    """The user name, where the URL has none."""
    password: SecretStr | None = None
    """The password; put into the URL."""


class RetrySettings(Section):
    """How a TemporaryError is retried where the task declares nothing else."""

    attempts: int = Field(5, ge=1)
    """How many times a task runs in all, the first included."""
    backoff: Duration = Field(timedelta(seconds=1), ge=_ZERO)
    """The pause before the first retry; it doubles with each further one."""
    max_delay: Duration = Field(timedelta(minutes=10), ge=_ZERO)
    """The longest pause."""
    jitter: bool = True
    """Spread the pauses at random, so that retries do not come all at once."""


class TaskSettings(Section):
    """How tasks run, unless a task says otherwise."""

    default_queue: str = Field("celery", min_length=1)
    """The queue of tasks that name none."""
    default_priority: int = Field(0, ge=0, le=9)
    """The priority of messages that name none; 9 is the most urgent."""
    time_limit: Duration | None = Field(timedelta(minutes=5), gt=_ZERO)
    """The hard limit: then the task is killed and fails. "none" sets no limit."""
    soft_time_limit: Duration | None = Field(timedelta(minutes=4), gt=_ZERO)
    """The soft limit: then SoftTimeLimitExceeded is raised in the body. "none" sets no limit."""
    acks_late: bool = True
    """Acknowledge a message after its result is stored, so that a crash repeats the task and never loses it."""
    reject_on_worker_lost: bool = True
    """Give a task back when its process dies, instead of calling it done."""
    crash_limit: int = Field(3, ge=1)
    """How many times a task may kill its process, running alone, before it is poison."""
    dead_letter: bool = True
    """Keep what will not be retried as a dead letter."""
    retry: RetrySettings = RetrySettings()


class WorkerSettings(Section):
    """The shape and the limits of `umbel worker`."""

    processes: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """How many shards; auto: one for each CPU that this process may use."""
    threads: int = Field(4, ge=1)
    """How many tasks a shard runs at a time."""
    max_tasks_per_shard: int | None = Field(1000, ge=1)
    """Replace a shard after so many tasks; "none" never does."""
    min_shard_age: Duration = Field(timedelta(minutes=1), ge=_ZERO)
    """Younger shards are not replaced for the default of max_tasks_per_shard; one that is set holds at once."""
    max_memory_per_shard: Size | None = Field(None, gt=0)
    """Replace a shard above so much resident memory; "none" never does."""
    drain_timeout: Duration = Field(timedelta(seconds=30), ge=_ZERO)
    """How long SIGTERM waits for running tasks before it gives them back."""
    grace: Duration = Field(timedelta(seconds=10), ge=_ZERO)
    """How long the neighbours of a task that passed its hard limit may go on."""
    prefetch_target: Duration = Field(timedelta(milliseconds=100), ge=_ZERO)
    """How much work, in running time, a shard claims ahead of its slots."""
    health_file: FilePath | None = None
    """A file that exists and is touched while the worker is healthy, for probes."""
    health_port: int | None = Field(None, ge=1, le=65535)
    """A local port that answers readiness and liveness over HTTP."""
    state_dir: FilePath | None = None
    """Where the worker keeps its run tables and sockets; "none": a temporary folder."""


class DeadLetterSettings(Section):
    """How many dead letters are kept, and for how long."""

    max_age: Duration | None = Field(timedelta(days=30), gt=_ZERO)
    """Older dead letters are deleted; "none" keeps them."""
    max_count: int | None = Field(100_000, ge=1)
    """Beyond so many, the oldest are deleted; "none" keeps all."""


class LoggingSettings(Section):
    """What the worker says."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """The lowest level that is written."""


RawSettings = dict[str, Any]
"""Celery's own settings, by their lowercase names."""
