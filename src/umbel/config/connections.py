"""What a section's URL, user name and password mean together: the full URL, and which server it reaches."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qs

from umbel.config.sections import BrokerSettings, DatabaseSettings, RedisSettings, ResultSettings
from umbel.config.urls import Url

__all__ = ["ConnectionSettings", "authenticates", "full_url", "is_cluster", "is_redis", "redis_databases"]

ConnectionSettings = BrokerSettings | ResultSettings | RedisSettings | DatabaseSettings
"""The sections that say how to reach a server."""

_LOOPBACK = {"localhost", "127.0.0.1", "::1", "", None}
_PORTS = {"sentinel": 26379}
_REDIS_PORT = 6379


def full_url(section: ConnectionSettings) -> Url:
    """Return the URL with the section's user name and password in it. It is a secret."""
    password = section.password.get_secret_value() if section.password is not None else None
    return section.url.with_credentials(section.username, password)


def is_redis(url: Url) -> bool:
    """Return whether the URL reaches a Redis, in any of its forms."""
    return url.family in {"redis", "rediss", "sentinel"}


def is_cluster(url: Url) -> bool:
    """Return whether the URL reaches a Redis Cluster, which has one database only."""
    return is_redis(url) and url.scheme.endswith("+cluster")


def redis_databases(url: Url) -> frozenset[tuple[str, int]]:
    """Return what the URL reaches, as pairs of server and database number.

    All names of this machine count as one server.

    Raises:
        ValueError: the path of the URL is no database number.
    """
    return frozenset((_server(part, url), _database(part)) for part in url.parts)


def authenticates(url: Url) -> bool:
    """Return whether the client proves who it is: by a password, or by a certificate of its own.

    RabbitMQ's ``guest`` with the password ``guest`` proves nothing.
    """
    return all(_proves(part) for part in url.parts)


def _proves(part: SplitResult) -> bool:
    parameters = parse_qs(part.query)
    if "ssl_certfile" in parameters or "certfile" in parameters or "password" in parameters:
        return True
    return bool(part.password) and (part.username, part.password) != ("guest", "guest")


def _server(part: SplitResult, url: Url) -> str:
    if part.scheme.endswith("+socket"):
        return part.path
    host = "localhost" if part.hostname in _LOOPBACK else part.hostname
    return f"{host}:{part.port or _PORTS.get(url.family, _REDIS_PORT)}"


def _database(part: SplitResult) -> int:
    parameters = parse_qs(part.query)
    named = parameters.get("virtual_host") or parameters.get("db")
    path = "" if part.scheme.endswith("+socket") else part.path.strip("/")
    return int((named[0] if named else path) or 0)
