"""The transports that kombu knows: one for SQLite files, one for memory."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import sqlite3
import time
import weakref
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from kombu.transport import virtual

from umbel.errors import StorageError
from umbel.transports.channel.channel import Channel
from umbel.transports.channel.leases import Membership
from umbel.transports.channel.options import ChannelOptions
from umbel.transports.channel.sharing import SharedStore, share
from umbel.transports.channel.watch import LoopThread, Watch

__all__ = ["MemoryTransport", "SqliteTransport", "Transport"]

_VERIFY_EVERY = 1.0


class Transport(virtual.Transport):
    """A connection to a store: its channels, its registration as a consumer, and what wakes it.

    Nothing is opened before the connection is established. After a fork the child's copy of a
    connection is only ever forgotten: what it holds belongs to the parent.
    """

    Channel = Channel
    can_parse_url = True
    connection_errors = (*virtual.Transport.connection_errors, StorageError)
    channel_errors = (*virtual.Transport.channel_errors, StorageError)
    implements = virtual.Transport.implements.extend(
        asynchronous=True,
        batch_publish=True,
        exchange_type=frozenset({"direct", "topic", "fanout"}),
        heartbeats=False,
    )
    scheme: ClassVar[str]

    def __init__(self, client: Any, **options: Any) -> None:  # noqa: ANN401 - kombu's own
        super().__init__(client, **options)
        self.own_queues: set[str] = set()
        self.loop = LoopThread()
        self._pid = os.getpid()
        self._round = 0
        self._verify_at = 0.0
        _transports.add(self)

    @property
    def store_url(self) -> str:
        """The URL of the store. After a failover kombu hands it over in parts."""
        host = self.client.hostname or ""
        rest = host.partition("://")[2] if "://" in host else f"{host}/{quote(self.client.virtual_host or '')}"
        return f"{self.scheme}://{rest}"

    @cached_property
    def options(self) -> ChannelOptions:
        """What ``transport_options`` say to channels."""
        return ChannelOptions.chosen_from(self.client.transport_options)

    @cached_property
    def shared(self) -> SharedStore:
        """The store; opened when first asked for."""
        return share(self.store_url, self.client.transport_options)

    @cached_property
    def membership(self) -> Membership:
        """This connection as a consumer."""
        return Membership(self.shared.store, self.options, on_rejoin=self._rejoined)

    @cached_property
    def watch(self) -> Watch:
        """What wakes this connection."""
        return Watch(self.shared.store)

    def verify(self) -> None:
        """Check now and then that the store is still the one that was opened.

        Raises:
            StorageError: it is not.
        """
        now = time.monotonic()
        if now >= self._verify_at:
            self._verify_at = now + _VERIFY_EVERY
            self.shared.verify()

    def establish_connection(self) -> Transport:
        """Open the store, and the first channel.

        Raises:
            StorageError: it cannot be opened, read or written.
            ConfigurationError: the URL or an option is wrong.
        """
        self.__dict__.pop("shared", None)
        connection: Transport = super().establish_connection()
        return connection

    def close_connection(self, connection: object) -> None:
        """Close the channels, leave the event loop, and end the registration."""
        if self._pid != os.getpid():
            self.channels.clear()
            return
        watch: Watch | None = self.__dict__.pop("watch", None)
        if watch is not None:
            watch.leave()
        super().close_connection(connection)
        membership: Membership | None = self.__dict__.pop("membership", None)
        if membership is not None:
            membership.leave()
        if watch is not None:
            watch.close()

    def register_with_event_loop(self, _connection: object, loop: Any) -> None:  # noqa: ANN401 - kombu's hub
        """Take a turn on every turn of the hub."""
        self.watch.join(loop, self._on_tick, self._stir, interval=self.options.poll_interval)

    def unregister_from_event_loop(self, _connection: object, _loop: object) -> None:
        """Leave the hub."""
        self.watch.leave()

    def drain_events(self, _connection: object, timeout: float | None = None, **_options: object) -> None:
        """Deliver one message; wait for it up to ``timeout`` seconds (None: for ever).

        Raises:
            TimeoutError: none came (kombu knows it as ``socket.timeout``).
        """
        self.loop.enter()
        self.verify()
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._drain_one():
            remaining = self.options.poll_interval if deadline is None else deadline - time.monotonic()
            if remaining <= 0:
                raise socket.timeout(f"no message within {timeout:g} s")  # noqa: UP041 - the name that kombu's callers catch
            if self.watch.wait(min(remaining, self._idle())):
                self._stir()

    def consumes(self, queue: str) -> bool:
        """Return whether a channel of this connection consumes from the queue."""
        return any(channel.consumes(queue) for channel in self.channels)

    def as_uri(self, uri: str | None, include_password: bool = False, mask: str = "**") -> str:  # noqa: ARG002, FBT001, FBT002 - kombu's signature; there are no passwords
        """Return the URL for logs."""
        return uri if uri and "://" in uri else self.store_url

    def driver_version(self) -> str:
        """Return the version of the SQLite library."""
        return sqlite3.sqlite_version

    def _on_tick(self) -> None:
        self.loop.enter()
        self.verify()
        again = [channel.turn() for channel in tuple(self.channels)]
        if any(again):
            self.watch.nudge()
        else:
            self.watch.alarm(self._idle())

    def _drain_one(self) -> bool:
        channels = tuple(self.channels)
        self._round += 1
        start = self._round % max(len(channels), 1)
        return any(channel.drain_one() for channel in channels[start:] + channels[:start])

    def _idle(self) -> float:
        times = (channel.idle_for() for channel in tuple(self.channels))
        return min((seconds for seconds in times if seconds is not None), default=self.options.poll_interval)

    def _stir(self) -> None:
        for channel in tuple(self.channels):
            channel.stir()

    def _rejoined(self) -> None:
        self._stir()
        self.watch.nudge()


class SqliteTransport(Transport):
    """``sqlite:///relative.db`` or ``sqlite:////absolute.db``: one file, the processes of one host."""

    driver_type = "sqlite"
    driver_name = "umbel-sqlite"
    scheme = "sqlite"


class MemoryTransport(Transport):
    """``umbel-memory://name``: within one process, for tests."""

    driver_type = "memory"
    driver_name = "umbel-memory"
    scheme = "memory"


_transports: weakref.WeakSet[Transport] = weakref.WeakSet()


def _close_all() -> None:
    # Acks of the last tasks may come after the worker has closed its consumer: settle them.
    for transport in list(_transports):
        with contextlib.suppress(StorageError):  # the process ends; its lease tells the others
            transport.close_connection(transport)


atexit.register(_close_all)
