"""The same promises with real processes, which are killed with SIGKILL while they work."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from umbel.clock import SystemClock
from umbel.testing.contract.handles import LEASE, Handles, Opener, OpenHandle
from umbel.testing.contract.messages import messages, task_ids
from umbel.transports.base import Store

__all__ = ["ProcessContract"]

_PATIENCE = 30.0
"""Seconds that a child may take to say something."""

_KILLS = 12


class Child:
    """A process that runs source text and says things, line by line."""

    def __init__(self, source: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own source, our own interpreter
            [sys.executable, "-c", source], stdout=subprocess.PIPE, env=_environment()
        )
        assert self.process.stdout is not None
        self._output = self.process.stdout
        self._heard = b""

    def line(self) -> str:
        """Return the next line."""
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._output], [], [], _PATIENCE)
            assert ready, "the child said nothing"
            piece = os.read(self._output.fileno(), 65_536)
            assert piece, "the child has ended"
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def rest(self) -> list[str]:
        """Wait for the end and return all words that nobody has read."""
        while select.select([self._output], [], [], _PATIENCE)[0]:
            piece = os.read(self._output.fileno(), 65_536)
            if not piece:
                self.process.wait(_PATIENCE)
                return self._heard.decode().split()
            self._heard += piece
        raise AssertionError("the child does not end")

    def kill(self) -> None:
        """Kill it with SIGKILL; killing twice is harmless."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Kill it and let go of its output."""
        self.kill()
        self._output.close()


Spawn = Callable[[str], Child]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}


class ProcessContract(Handles):
    """Override :meth:`opener`, and :meth:`opening` with the same in source text."""

    @pytest.fixture
    def opening(self) -> str:
        """Return Python source that opens a handle as ``store`` in another process."""
        raise NotImplementedError

    @pytest.fixture
    def open_handle(self, opener: Opener) -> Iterator[OpenHandle]:
        """Return a function that opens one more handle, on the system's clock."""
        opened: list[Store] = []

        def open_handle(host: str | None = None) -> Store:
            opened.append(opener(SystemClock(), host))
            return opened[-1]

        yield open_handle
        for store in opened:
            store.close()

    @pytest.fixture
    def spawn(self, opening: str) -> Iterator[Spawn]:
        """Return a function that runs source text in a new process, with ``store`` and ``say``."""
        children: list[Child] = []
        preamble = f"import os, sys, time\n{opening}\nsay = lambda *words: print(*words, flush=True)\n"

        def spawn(source: str) -> Child:
            children.append(Child(preamble + textwrap.dedent(source)))
            return children[-1]

        yield spawn
        for child in children:
            child.close()

    def test_a_killed_process_is_known_dead_at_once(self, store: Store, spawn: Spawn) -> None:
        store.publish("orders", messages("a", "b"))
        child = spawn(
            """
            consumer = store.register("mortal", lease=3600)
            store.claim("orders", consumer, 2)
            say(consumer)
            time.sleep(600)
            """
        )
        consumer = child.line()
        assert store.dead() == []
        child.kill()
        assert [info.id for info in store.dead()] == [consumer]
        assert sorted(store.reap(consumer, started=[]).released) == ["a", "b"]

    def test_a_process_that_is_stopped_is_alive(self, store: Store, spawn: Spawn) -> None:
        child = spawn('say(store.register("wedged", lease=0.001))\ntime.sleep(600)')
        consumer = child.line()
        os.kill(child.process.pid, signal.SIGSTOP)
        assert [info.id for info in store.consumers()] == [consumer]
        assert store.dead() == []

    def test_a_child_does_not_keep_its_parent_alive(self, store: Store, spawn: Spawn) -> None:
        child = spawn(
            """
            consumer = store.register("mortal", lease=3600)
            heir = os.fork()
            if heir == 0:
                store.size("orders")
                os.write(1, b"ready\\n")
                time.sleep(600)
            say(heir, consumer)
            time.sleep(600)
            """
        )
        lines = [child.line(), child.line()]
        heir, consumer = next(line for line in lines if line != "ready").split()
        try:
            child.kill()
            assert [info.id for info in store.dead()] == [consumer]
        finally:
            os.kill(int(heir), signal.SIGKILL)

    def test_a_forked_child_works_on_its_own_and_loses_nothing(self, store: Store, spawn: Spawn) -> None:
        # The parent's connection closes while the child's is open: the child's commits must stay.
        child = spawn(
            """
            from umbel.testing.contract import messages
            store.publish("orders", messages("parent"))
            reader, writer = os.pipe()
            heir = os.fork()
            if heir == 0:
                store.publish("orders", messages("child-1"))
                os.read(reader, 1)
                store.publish("orders", messages("child-2"))
                os._exit(0)
            store.publish("orders", messages("parent-2"))
            store.close()
            os.write(writer, b"x")
            os.waitpid(heir, 0)
            say("done")
            """
        )
        assert child.line() == "done"
        consumer = store.register("reader", lease=LEASE)
        names = task_ids(store.claim("orders", consumer, 9).claims)
        assert sorted(names) == ["child-1", "child-2", "parent", "parent-2"]

    def test_many_processes_share_a_queue_and_take_each_message_once(self, store: Store, spawn: Spawn) -> None:
        names = [f"m{number}" for number in range(1_000)]
        store.publish("orders", messages(*names))
        children = [
            spawn(
                """
                consumer = store.register("shard", lease=3600)
                while claims := store.claim("orders", consumer, 7).claims:
                    assert not store.ack([claim.receipt for claim in claims])
                    say(*(claim.envelope.task_id for claim in claims))
                """
            )
            for _ in range(3)
        ]
        taken: Counter[str] = Counter()
        for child in children:
            taken.update(child.rest())
            assert child.process.returncode == 0
        assert taken == Counter(names)
        assert store.size("orders") == 0

    def test_kills_while_settling_lose_nothing_and_settle_nothing_twice(self, store: Store, spawn: Spawn) -> None:
        names = [f"m{number}" for number in range(3_000)]
        store.publish("orders", messages(*names))
        chance = random.Random(7)  # noqa: S311 - a fixed sequence, so that a failure can be repeated
        settled: Counter[str] = Counter()
        for _ in range(_KILLS):
            child = spawn(
                """
                consumer = store.register("mortal", lease=3600)
                say("ready")
                while claims := store.claim("orders", consumer, 5).claims:
                    names = [claim.envelope.task_id for claim in claims]
                    assert not store.ack([claim.receipt for claim in claims])
                    say(*names)
                    time.sleep(0.001)
                time.sleep(600)
                """
            )
            assert child.line() == "ready"
            time.sleep(chance.uniform(0.0, 0.05))
            child.kill()
            settled.update(child.rest())
            for info in store.dead():
                store.reap(info.id, started=[])
        rest = self._drain(store)
        unsure = len(names) - len(settled) - len(rest)
        assert settled.most_common(1)[0][1] == 1
        assert not set(settled) & set(rest)
        # A child that dies between its ack and its word has settled one batch that nobody heard of.
        assert 0 <= unsure <= 5 * _KILLS
        assert unsure % 5 == 0

    def test_a_publish_in_one_process_wakes_another(self, store: Store, spawn: Spawn) -> None:
        child = spawn(
            """
            import select
            wakeup = store.wakeup()
            say("waiting")
            woken = select.select([wakeup], [], [], 25)[0]
            wakeup.clear()
            say("woken" if woken else "asleep")
            """
        )
        assert child.line() == "waiting"
        store.publish("orders", messages("a"))
        assert child.line() == "woken"

    def test_a_killed_waiter_hinders_nobody(self, store: Store, spawn: Spawn) -> None:
        child = spawn('wakeup = store.wakeup()\nsay("waiting")\ntime.sleep(600)')
        assert child.line() == "waiting"
        store.publish("orders", messages("a"))
        child.kill()
        waiter = store.wakeup()
        for name in "bc":
            store.publish("orders", messages(name))
        assert select.select([waiter], [], [], _PATIENCE)[0]
        waiter.close()

    def _drain(self, store: Store) -> list[str]:
        consumer = store.register("last", lease=LEASE)
        taken: list[str] = []
        while claims := store.claim("orders", consumer, 500).claims:
            assert not store.ack([claim.receipt for claim in claims])
            taken += task_ids(claims)
        return taken
