"""Stores and connections that the adapter's parts work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from kombu import Connection, Queue

import umbel.transports  # noqa: F401 - registers the transports
from umbel.transports.base import Store
from umbel.transports.channel import Channel
from umbel.transports.registry import open_store


@pytest.fixture(params=["sqlite", "memory"])
def url(request, tmp_path) -> str:
    """A broker URL of each store."""
    return f"sqlite:///{tmp_path / 'broker.db'}" if request.param == "sqlite" else f"umbel-memory://{uuid4()}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The same store, opened apart from the connections: another process sees it so."""
    opened = open_store(url.removeprefix("umbel-"))
    yield opened
    opened.close()


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., Connection]]:
    """Open connections that are closed after the test."""
    opened: list[Connection] = []

    def connect(**options: object) -> Connection:
        connection = Connection(url, transport_options=options)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def channel(connection: Connection) -> Channel:
    return connection.default_channel


@pytest.fixture
def consume(connection: Connection) -> Callable[..., list]:
    """Consume from a queue into a list; nothing is acked."""

    def consume(queue: str, *, prefetch: int = 0, no_ack: bool = False, connection: Connection = connection) -> list:
        received: list = []
        consumer = connection.Consumer(
            [Queue(queue)], on_message=received.append, no_ack=no_ack, prefetch_count=prefetch or None
        )
        consumer.consume()
        return received

    return consume
