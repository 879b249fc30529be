"""This process as a consumer: its registrations, and the thread that keeps them alive.

A :class:`Membership` is one registration, held by one connection that consumes. The :class:`Keeper`
of a store renews all memberships of the process, gives back what dead consumers held (its own host's
at once, others' when their lease has run out), and sweeps. A connection whose supervisor does all
that has no keeper.

A membership belongs to the process that made it: in a forked child it counts as none, so that a child
can neither retire nor renew its parent.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from umbel import events
from umbel.errors import StorageError
from umbel.transports.base import Store
from umbel.transports.channel.options import ChannelOptions
from umbel.transports.channel.settlement import Settlement
from umbel.transports.recovery import recover

__all__ = ["Keeper", "Membership", "keeper_of"]

_RECOVER_EVERY = 1.0
_SWEEP_EVERY = 60.0
_RENEWALS_PER_LEASE = 3


class Membership:
    """One registration as a consumer, made when its id is first asked for.

    ``on_rejoin`` is called, in the keeper's thread, when the store had declared this consumer dead
    and a new registration was made.
    """

    def __init__(self, store: Store, options: ChannelOptions, on_rejoin: Callable[[], None]) -> None:
        self.lease = options.lease
        self.crash_limit = options.crash_limit
        self._store = store
        self._options = options
        self._on_rejoin = on_rejoin
        self._lock = threading.Lock()
        self._id: str | None = None
        self._pid = 0
        self._owed: list[Settlement] = []
        self._leaving = False

    @property
    def id(self) -> str:
        """The consumer's id; registers when there is none yet.

        Raises:
            StorageError: it could not be registered, or has left: what it claimed then, nobody would give back.
        """
        consumer = self.current
        if consumer is not None:
            return consumer
        with self._lock:
            if self.current is None and self._leaving:
                raise StorageError("the connection is closed: it consumes no more")
            return self.current or self._register()

    @property
    def current(self) -> str | None:
        """The id in this process, or None while it is not registered."""
        return self._id if self._pid == os.getpid() else None

    def owe(self, settlement: Settlement) -> None:
        """Keep what a closed channel could not settle; it is tried again before leaving."""
        self._owed.append(settlement)

    def rejoin(self) -> None:
        """Register again after having been declared dead; one that is leaving stays away."""
        with self._lock:
            if self._leaving:
                return
            self._register()
        self._on_rejoin()

    def leave(self) -> None:
        """Settle what is owed and unregister; a keeper tries again when the store fails now."""
        with self._lock:
            self._leaving = True
        if not self.departed():
            keeper_of(self._store).see_off(self)

    def departed(self) -> bool:
        """Try to leave; return whether it is done."""
        consumer = self.current
        done = consumer is None or self._depart(consumer)
        if done:
            self._forget()
        return done

    def _register(self) -> str:
        options = self._options
        consumer = self._store.register(options.name, lease=options.lease, run_table=options.run_table)
        self._id, self._pid = consumer, os.getpid()
        if options.keeper:
            keeper_of(self._store).admit(self)
        return consumer

    def _depart(self, consumer: str) -> bool:
        self._owed = [settlement for settlement in self._owed if not settlement.settle()]
        if self._owed:
            return False
        try:
            self._store.retire(consumer)
        except StorageError as problem:
            events.emit(events.LeaseRenewalFailed(consumers=(consumer,), problem=problem.message))
            return False
        return True

    def _forget(self) -> None:
        self._id = None
        keeper_of(self._store).dismiss(self)


class Keeper:
    """One thread per process and store, running while it has members. Starting and stopping twice is harmless."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._members: dict[int, Membership] = {}
        self._leaving: dict[int, Membership] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._renew_at = self._sweep_at = 0.0

    def admit(self, member: Membership) -> None:
        """Keep this membership alive."""
        with self._lock:
            self._members[id(member)] = member
            self.start()

    def see_off(self, member: Membership) -> None:
        """Keep trying to let this one leave; it still needs its lease until it has."""
        with self._lock:
            self._leaving[id(member)] = member
            self.start()

    def dismiss(self, member: Membership) -> None:
        """Keep this membership no more; the thread ends with the last one."""
        with self._lock:
            self._members.pop(id(member), None)
            self._leaving.pop(id(member), None)
            if not self._members and not self._leaving:
                self.stop()

    def start(self) -> None:
        """Run the thread, if it does not run."""
        with self._lock:
            if self._thread is None:
                self._wake = threading.Event()
                self._renew_at = self._sweep_at = 0.0
                self._thread = threading.Thread(target=self._run, args=(self._wake,), name="umbel-keeper", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Let the thread end; it is not waited for, since a store may be slow."""
        with self._lock:
            self._thread = None
            self._wake.set()

    def _run(self, wake: threading.Event) -> None:
        while not wake.wait(self._tend()):
            continue

    def _tend(self) -> float:
        """Do what is due; return how many seconds may pass until the next time."""
        with self._lock:
            members, leaving = [*self._members.values()], [*self._leaving.values()]
        interval = min((member.lease / _RENEWALS_PER_LEASE for member in members), default=_RECOVER_EVERY)
        try:
            now = time.monotonic()
            if now >= self._renew_at:
                self._renew(members)
                self._renew_at = now + interval
            recover(self._store, crash_limit=min((member.crash_limit for member in members), default=3))
            if now >= self._sweep_at:
                self._store.sweep()
                self._sweep_at = now + _SWEEP_EVERY
        except StorageError as problem:
            # The thread must outlive a store that fails for a while; it says so and tries again.
            consumers = tuple(member.current or "" for member in members)
            events.emit(events.LeaseRenewalFailed(consumers=consumers, problem=problem.message))
        for member in leaving:
            member.departed()
        return min(interval, _RECOVER_EVERY)

    def _renew(self, members: list[Membership]) -> None:
        by_lease: defaultdict[float, dict[str, Membership]] = defaultdict(dict)
        for member in members:
            consumer = member.current
            if consumer is not None:
                by_lease[member.lease][consumer] = member
        for lease, named in by_lease.items():
            for consumer in self._store.renew(list(named), lease=lease):
                if named[consumer].current == consumer:
                    named[consumer].rejoin()


_keepers: dict[tuple[int, int], Keeper] = {}
_keepers_lock = threading.Lock()


def keeper_of(store: Store) -> Keeper:
    """Return this process's keeper for the store."""
    key = (os.getpid(), id(store))
    with _keepers_lock:
        return _keepers.setdefault(key, Keeper(store))


def _renew_lock() -> None:
    global _keepers_lock  # noqa: PLW0603 - another thread may have held it at the moment of the fork
    _keepers_lock = threading.Lock()
    _keepers.clear()


os.register_at_fork(after_in_child=_renew_lock)
