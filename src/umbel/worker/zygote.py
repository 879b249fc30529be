"""The zygote: a single-threaded process that has loaded the application and forks the shards.

Started as a fresh interpreter by the supervisor, so that new code is new code; it opens no
connection, so that its children share none. It forks on request, waits for its children, and says
what became of them. Run as ``python -m MODULE DESCRIPTOR PARENT`` with a module that calls :func:`main`.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umbel import _celery
from umbel.errors import ConfigurationError, describe
from umbel.worker.facts import WorkerFacts, gather
from umbel.worker.lifeline import die_with_parent
from umbel.worker.options import WorkerOptions
from umbel.worker.shard import ShardSpec, run_shard
from umbel.worker.wire import Message, Wire

if TYPE_CHECKING:
    from celery import Celery

__all__ = ["Zygote", "main"]


class Zygote:
    """Forks shards and reports their ends."""

    def __init__(self, app: Celery, wire: Wire) -> None:
        self._app = app
        self._wire = wire
        self._selector = selectors.DefaultSelector()
        self._children: set[int] = set()
        self._wake_reader, self._wake_writer = os.pipe()

    def run(self) -> None:
        """Serve until the supervisor is gone or says so."""
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        self._selector.register(self._wire, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        while self._serve():
            pass

    def _serve(self) -> bool:
        for key, _ in self._selector.select():
            if key.fileobj is self._wire:
                message = self._wire.receive()
                if message is None or message["kind"] == "exit":
                    return False
                if message["kind"] == "fork":
                    self._fork(message)
            else:
                os.read(self._wake_reader, 4096)
                self._collect()
        return True

    def _fork(self, message: Message) -> None:
        fields = message["spec"]
        spec = ShardSpec(**{**fields, "queues": tuple(fields["queues"])})
        parent = os.getpid()
        child = os.fork()
        if not child:
            signal.set_wakeup_fd(-1)
            # The child says so itself as well: whatever it says next must find it known.
            self._wire.send("forked", pid=os.getpid(), number=message["number"])
            run_shard(self._app, spec, self._wire, parent, self._selector.close)
        self._children.add(child)
        self._wire.send("forked", pid=child, number=message["number"])

    def _collect(self) -> None:
        for child in tuple(self._children):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                self._children.discard(pid)
                self._wire.send("exited", pid=pid, status=status)


def main(prepare: Callable[[Celery], None]) -> None:
    """Load the application, say how it went, then fork on request.

    ``prepare`` makes an application ready that is not Umbel's own.
    """
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent)
    wire = Wire.inherited(descriptor)
    hello = wire.receive()
    if hello is None:
        return
    loaded = _load(hello, wire, prepare)
    if loaded is None:
        return
    app, facts = loaded
    wire.send("loaded", facts=facts.as_dict(), threads=threading.active_count())
    gc.collect()
    gc.freeze()
    Zygote(app, wire).run()


def _load(hello: Message, wire: Wire, prepare: Callable[[Celery], None]) -> tuple[Celery, WorkerFacts] | None:
    try:
        app = _application(hello["app"], prepare)
        return app, gather(app, WorkerOptions(**hello["options"]))
    except Exception as problem:  # noqa: BLE001 - whatever the application's modules raise is told upwards
        wire.send("failed", error=describe(problem), traceback=traceback.format_exc(limit=-20))
        return None


def _application(spec: str, prepare: Callable[[Celery], None]) -> Any:  # noqa: ANN401 - a Celery application; celery is untyped
    sys.path.insert(0, str(Path.cwd()))
    app = _celery.find_app(spec)
    if not hasattr(app, "loader"):
        message = f"-A {spec} names a {type(app).__name__}, expected a Celery or Umbel application"
        raise ConfigurationError(message, hint="write it as module:attribute")
    if not hasattr(app, "settings"):
        prepare(app)
    app.loader.init_worker()
    app.finalize()
    return app
