"""Where shards come from: the zygote of today's code, and during a reload the one of tomorrow's."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from umbel.errors import ConfigurationError
from umbel.worker.facts import WorkerFacts
from umbel.worker.roster import Shard
from umbel.worker.wire import Message, Wire, pair

if TYPE_CHECKING:
    from umbel.worker.options import WorkerOptions
    from umbel.worker.roster import Roster

__all__ = ["Nursery"]


class Nursery:
    """Starts zygotes, asks them for shards, and replaces them."""

    def __init__(self, app: str, options: WorkerOptions, zygote_module: str) -> None:
        self.facts: WorkerFacts
        self.zygote: int | None = None
        self._app = app
        self._options = options
        self._module = zygote_module
        self._wires: dict[int, Wire] = {}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._endings: dict[int, int] = {}
        self._loading: int | None = None
        self._rolling = False
        self._count = 0
        self._state_dir: Path | None = None

    def start(self, selector: selectors.BaseSelector, interrupted: Callable[[], bool]) -> WorkerFacts | None:
        """Start the first zygote and wait until it has loaded the application; None when ``interrupted``
        says so meanwhile, which is asked whenever something else in the selector wakes it.

        Raises ConfigurationError, with the application's own error, when it could not be loaded.
        """
        zygote = self._spawn(selector)
        while True:
            for key, _ in selector.select():
                if key.data != zygote:
                    if interrupted():
                        return None
                    continue
                message = self.receive(zygote)
                if message is None or message["kind"] != "loaded":
                    raise self._refused(message)
                return self.facts

    def fork(self, number: int, name: str) -> Shard:
        """Ask for one more shard."""
        if self.zygote is None:
            message = "no zygote is running"
            raise ConfigurationError(message)
        facts = self.facts
        self._count += 1
        table = self._tables() / f"{os.getpid()}-{self._count}.run"
        spec = {
            "name": name,
            "table": str(table),
            "revoked": str(self._revoked()),
            "threads": facts.threads,
            "queues": list(facts.queues),
            "loglevel": facts.loglevel,
            "max_tasks": facts.max_tasks,
            "min_age": facts.min_age,
            "prefetch_target": facts.prefetch_target,
            "siblings": facts.processes,
        }
        self._wires[self.zygote].send("fork", number=number, spec=spec)
        return Shard(number, name, table, self.zygote, time.monotonic())

    def knows(self, zygote: int) -> bool:
        """Return whether this zygote has not been forgotten."""
        return zygote in self._wires

    @property
    def loading(self) -> int | None:
        """The zygote that is loading the application, if one is."""
        return self._loading

    def receive(self, zygote: int) -> Message | None:
        """Return the next message of a zygote or its shards; None when the zygote is gone.

        Its end of the wire does not tell: a process that a body has forked and left behind holds it too.
        """
        wire = self._wires[zygote]
        message = wire.receive() if self._processes[zygote].poll() is None else wire.rest()
        if message is not None and message["kind"] == "loaded":
            self._adopt(zygote, message)
        return message

    def reload(self, selector: selectors.BaseSelector) -> None:
        """Start a zygote with the code as it is now; the shards roll when it has loaded."""
        self._loading = self._spawn(selector)

    def roll(self, roster: Roster) -> None:
        """Mark the shards of older code as leaving, so that replacements start beside them."""
        self._rolling = True
        for shard in roster:
            if shard.zygote != self.zygote and not shard.leaving:
                shard.leaving = "new code"

    def on_ready(self, roster: Roster) -> None:
        """Let one shard of older code go for each replacement that is ready."""
        if not self._rolling:
            return
        old = [shard for shard in roster if shard.zygote != self.zygote]
        new = [shard for shard in roster if shard.zygote == self.zygote and shard.ready]
        for shard in old[: len(new)]:
            shard.drain("new code")
        if not old:
            self._rolling = False

    def retire_idle(self, roster: Roster) -> None:
        """End a zygote of older code once its last shard is gone."""
        busy = {shard.zygote for shard in roster}
        for zygote, wire in self._wires.items():
            if zygote not in busy and zygote not in (self.zygote, self._loading):
                wire.send("exit")

    def forget(self, zygote: int, selector: selectors.BaseSelector) -> None:
        """Drop a zygote that is gone."""
        wire, ending = self._wires.pop(zygote), self._endings.pop(zygote)
        selector.unregister(wire)
        selector.unregister(ending)
        wire.close()
        os.close(ending)
        process = self._processes.pop(zygote)
        process.kill()
        process.wait()
        if zygote == self.zygote:
            self.zygote = None
        if zygote == self._loading:
            self._loading = None

    def wait_gone(self, pid: int, seconds: float = 2.0) -> None:
        """Wait until a process that was killed is gone; it may be anybody's child by now."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return
        with selectors.DefaultSelector() as waiting:
            waiting.register(descriptor, selectors.EVENT_READ)
            waiting.select(seconds)
        os.close(descriptor)

    def close(self) -> None:
        """End the zygotes; their shards die with them."""
        for zygote, process in self._processes.items():
            self._wires[zygote].close()
            os.close(self._endings[zygote])
            process.kill()
            process.wait()
        if self._state_dir is not None:
            for table in self._state_dir.glob(f"{os.getpid()}-*.run"):
                table.unlink(missing_ok=True)
            self._revoked().unlink(missing_ok=True)

    def _spawn(self, selector: selectors.BaseSelector) -> int:
        ours, theirs = pair()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", self._module, str(theirs.fileno()), str(os.getpid())],
            pass_fds=(theirs.fileno(),),
            process_group=0,
        )
        theirs.close()
        ours.send("hello", app=self._app, options=self._options.as_dict())
        self._wires[process.pid] = ours
        self._processes[process.pid] = process
        self._endings[process.pid] = os.pidfd_open(process.pid)
        selector.register(ours, selectors.EVENT_READ, process.pid)
        selector.register(self._endings[process.pid], selectors.EVENT_READ, process.pid)
        return process.pid

    def _adopt(self, zygote: int, message: Message) -> None:
        self.zygote = zygote
        self._loading = None
        self.facts = WorkerFacts.from_dict(message["facts"])

    def _tables(self) -> Path:
        if self._state_dir is None:
            self._state_dir = Path(self.facts.state_dir) if self.facts.state_dir else _default_state_dir()
            self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._revoked().unlink(missing_ok=True)  # of a process that had our pid
        return self._state_dir

    def _revoked(self) -> Path:
        return self._tables() / f"{os.getpid()}.revoked"

    def _refused(self, message: Message | None) -> ConfigurationError:
        if message is None:
            text = f"the process that loads {self._app} ended before it was done"
            return ConfigurationError(text, hint="the reason stands above")
        error = message["error"]
        text = f"-A {self._app} could not be loaded: {error['error_code']}: {error['message']}"
        return ConfigurationError(
            text, hint=error["hint"] or "--debug shows the traceback", traceback=message["traceback"]
        )


def _default_state_dir() -> Path:
    memory = Path("/dev/shm")  # noqa: S108 - a folder of this user's own, mode 700, below it
    base = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    return base / f"umbel-{os.getuid()}"
