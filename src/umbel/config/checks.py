"""Rules that hold between keys: what each of them alone allows can still contradict another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from umbel.config.connections import (
    ConnectionSettings,
    authenticates,
    full_url,
    is_cluster,
    is_redis,
    redis_databases,
)
from umbel.config.durations import format_duration
from umbel.config.keys import variable
from umbel.config.layers import Layer
from umbel.config.problems import Problem
from umbel.config.settings import DEVELOPMENT, Settings
from umbel.config.toml_lines import Path
from umbel.config.urls import Url, hide
from umbel.config.written import human
from umbel.errors import ConfigurationError, ConflictError, UnsupportedError

__all__ = ["check"]

_GUARDED = ("redis", "rediss", "sentinel", "amqp", "amqps", "pyamqp", "librabbitmq")
# PostgreSQL decides on the server who must prove what, and cloud queues sign with the machine's role:
# a URL without a password says nothing about those.

_TRANSPORT_KEYS = ("lease", "busy_timeout", "synchronous", "poll_interval", "max_message_size", "dedup_window")


def check(settings: Settings, layer: Layer, *, environment: str) -> list[Problem]:
    """Return every contradiction; ``environment`` is what APP_ENV chose."""
    return [
        *_environment(settings, layer, environment),
        *_time_limits(settings, layer),
        *_delays(settings, layer),
        *_credentials(settings, layer),
        *_redis_databases(settings, layer),
        *_apart(settings, layer),
        *_anonymous(settings, layer),
        *_stock(settings, layer),
        *_prefixes(settings, layer),
    ]


def _environment(settings: Settings, layer: Layer, environment: str) -> Iterator[Problem]:
    said = settings.app.environment
    if said != environment:
        path = ("app", "environment")
        expected = f'"{environment}", as APP_ENV says'
        yield _problem(
            layer, path, expected, human(said), f"set APP_ENV={hide(said)}, or remove app.environment", ConflictError
        )


def _time_limits(settings: Settings, layer: Layer) -> Iterator[Problem]:
    soft, hard = settings.tasks.soft_time_limit, settings.tasks.time_limit
    if soft is not None and hard is not None and soft >= hard:
        path = ("tasks", "soft_time_limit")
        yield _less(layer, path, soft, ("tasks", "time_limit"), hard, "less than")


def _delays(settings: Settings, layer: Layer) -> Iterator[Problem]:
    retry = settings.tasks.retry
    if retry.backoff > retry.max_delay:
        path = ("tasks", "retry", "backoff")
        yield _less(layer, path, retry.backoff, ("tasks", "retry", "max_delay"), retry.max_delay, "at most")


def _less(layer: Layer, path: Path, value: timedelta, other: Path, bound: timedelta, words: str) -> Problem:
    # The key that somebody said is the one to name; the other may be a default.
    remedy = f"lower {'.'.join(path)} or raise {'.'.join(other)}"
    low, high = f'"{format_duration(value)}"', f'"{format_duration(bound)}"'
    if layer.says(path):
        return _problem(layer, path, f"{words} {_named(layer, other)}, {high}", low, remedy, ConflictError)
    return _problem(layer, other, f"more than {_named(layer, path)}, {low}", high, remedy, ConflictError)


def _connections(settings: Settings) -> Iterator[tuple[str, ConnectionSettings]]:
    yield "broker", settings.broker
    yield "results", settings.results
    yield "database", settings.database
    if settings.redis is not None:
        yield "redis", settings.redis


def _credentials(settings: Settings, layer: Layer) -> Iterator[Problem]:
    for name, section in _connections(settings):
        hosts = [part.hostname for part in section.url.parts]
        for key, value in (("username", section.username), ("password", section.password)):
            if value is None:
                continue
            path, url = (name, key), _named(layer, (name, "url"))
            if not all(hosts):
                expected = f"a server in {name}.url to send it to"
                yield _problem(layer, path, expected, human(section.url), f"remove {name}.{key}", UnsupportedError)
            elif any(getattr(part, key) for part in section.url.parts):
                expected = f"a {key} in one place"
                found = f"another in {url}, {human(section.url)}"
                yield _problem(layer, path, expected, found, f"take it out of {name}.url", ConflictError)


def _redis_databases(settings: Settings, layer: Layer) -> Iterator[Problem]:
    for name, section in _connections(settings):
        if not is_redis(section.url):
            continue
        path, found = (name, "url"), human(section.url)
        try:
            databases = redis_databases(section.url)
        except ValueError:
            yield _problem(layer, path, "a database number after the host", found, "write redis://host:6379/1")
            continue
        if is_cluster(section.url) and any(number for _, number in databases):
            remedy = f"write /0, and keep the data apart by {name}.prefix"
            yield _problem(layer, path, "database 0, the only one of a cluster", found, remedy, UnsupportedError)


def _apart(settings: Settings, layer: Layer) -> Iterator[Problem]:
    """The application's Redis may be flushed or may evict; Celery's must do neither."""
    redis = settings.redis
    if redis is None:
        return
    for name, section in (("broker", settings.broker), ("results", settings.results)):
        if not is_redis(section.url) or not _shared(redis.url, section.url):
            continue
        theirs = _named(layer, (name, "url"))
        if not is_cluster(redis.url) and not is_cluster(section.url):
            expected = f"another database than {theirs}"
            remedy = f'give [redis] database 0 and [{name}] database 1: {name}.url = "redis://host:6379/1"'
            yield _problem(layer, ("redis", "url"), expected, f"the same, {human(redis.url)}", remedy, ConflictError)
        elif _overlap(redis.prefix, section.prefix):
            expected = (
                f"a prefix apart from {_named(layer, (name, 'prefix'))}, {human(section.prefix)}, on the same cluster"
            )
            remedy = f'set redis.prefix = "app:" and {name}.prefix = "celery:"'
            yield _problem(layer, ("redis", "prefix"), expected, human(redis.prefix), remedy, ConflictError)


def _shared(one: Url, other: Url) -> bool:
    try:
        return bool(redis_databases(one) & redis_databases(other))
    except ValueError:
        return False


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _anonymous(settings: Settings, layer: Layer) -> Iterator[Problem]:
    if settings.in_development:
        return
    for name, section in (("broker", settings.broker), ("results", settings.results)):
        url = full_url(section)
        if (
            section.allow_anonymous
            or url.family not in _GUARDED
            or url.scheme.endswith("+socket")
            or authenticates(url)
        ):
            continue
        if _certified(settings, name):
            continue
        yield _problem(
            layer,
            (name, "url"),
            f"a password outside {DEVELOPMENT} (APP_ENV={settings.app.environment})",
            f"{human(section.url)} without one",
            f"set {variable((name, 'password'))} in .env or the environment, or {name}.allow_anonymous = true",
        )


def _certified(settings: Settings, name: str) -> bool:
    ssl = settings.celery.get("broker_use_ssl" if name == "broker" else "redis_backend_use_ssl")
    return isinstance(ssl, dict) and bool(ssl.get("ssl_certfile") or ssl.get("certfile"))


def _stock(settings: Settings, layer: Layer) -> Iterator[Problem]:
    if settings.broker.transport != "stock":
        return
    for key in _TRANSPORT_KEYS:
        path = ("broker", key)
        if layer.says(path):
            value = human(getattr(settings.broker, key))
            remedy = f'remove broker.{key}, or set broker.transport = "auto"'
            yield _problem(
                layer,
                path,
                "a transport of Umbel's, which keeps it",
                f"{value} for the stock transport",
                remedy,
                UnsupportedError,
            )


def _prefixes(settings: Settings, layer: Layer) -> Iterator[Problem]:
    for name, section in (("broker", settings.broker), ("results", settings.results)):
        if section.prefix and not is_redis(section.url):
            path, expected = (name, "prefix"), f"a Redis in {name}.url, whose keys can have a prefix"
            yield _problem(layer, path, expected, human(section.url), f"remove {name}.prefix", UnsupportedError)


def _named(layer: Layer, path: Path) -> str:
    return f"{'.'.join(path)} ({layer.origin_of_value(path)})"


def _problem(
    layer: Layer,
    path: Path,
    expected: str,
    found: str,
    remedy: str,
    kind: type[ConfigurationError] = ConfigurationError,
) -> Problem:
    return Problem(
        key=".".join(path), origin=layer.origin_of_value(path), expected=expected, found=found, remedy=remedy, kind=kind
    )
