"""Answers to probes: a file that is fresh while the worker is well, and two small HTTP pages.

``/live`` is 200 while the supervisor turns; ``/ready`` is 200 while every shard consumes, else 503.
The file holds the same facts as JSON and is removed at the end; a file older than 10 seconds means that
the supervisor is gone.
"""

from __future__ import annotations

import http.server
import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umbel.errors import ConfigurationError

if TYPE_CHECKING:
    from umbel.worker.facts import WorkerFacts
    from umbel.worker.roster import Roster

__all__ = ["Health"]

_STALE_AFTER = 10.0


class Health:
    """What the worker last said of itself."""

    def __init__(self, facts: WorkerFacts, node: str) -> None:
        self._processes = facts.processes
        self._node = node
        self._file = Path(facts.health_file) if facts.health_file else None
        self._report: dict[str, Any] = {"worker": node, "status": "starting", "shards": []}
        self._at = time.monotonic()
        self._server = self._serve(facts.health_port) if facts.health_port else None

    def report(self, roster: Roster, *, stopping: bool, announced: bool) -> None:
        """Record how the worker is now.

        Raises:
            ConfigurationError: the health file cannot be written.
        """
        shards = [
            {"name": shard.name, "pid": shard.pid, "ready": shard.ready, "leaving": shard.leaving or None}
            for shard in roster
        ]
        ready = sum(1 for shard in roster.staying if shard.ready)
        status = "draining" if stopping else "ready" if announced and ready >= self._processes else "starting"
        self._report = {"worker": self._node, "status": status, "ready": ready, "shards": shards}
        self._at = time.monotonic()
        if self._file is not None:
            beside = self._file.with_name(self._file.name + f".{os.getpid()}")
            try:
                beside.write_text(json.dumps(self._report))
                beside.replace(self._file)
            except OSError as problem:
                message = f"worker.health_file {self._file} cannot be written: {problem.strerror}"
                hint = "name a file in a folder that this user may write to"
                raise ConfigurationError(message, hint=hint) from problem

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and body of a probe."""
        fresh = time.monotonic() - self._at < _STALE_AFTER
        if path == "/live":
            return (200 if fresh else 503), {"alive": fresh}
        if path == "/ready":
            return (200 if fresh and self._report["status"] == "ready" else 503), self._report
        return 404, {"error_code": "NOT_FOUND", "message": f"no page {path}", "hint": "/live or /ready"}

    def close(self) -> None:
        """Stop answering and remove the file; closing twice is harmless."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _serve(self, port: int) -> http.server.ThreadingHTTPServer:
        try:
            server = http.server.ThreadingHTTPServer(("", port), _handler(self))
        except OSError as problem:
            message = f"worker.health_port {port} cannot be opened: {problem.strerror}"
            raise ConfigurationError(message, hint="choose a port that is free") from problem
        threading.Thread(target=server.serve_forever, name="umbel-health", daemon=True).start()
        return server


def _handler(health: Health) -> type[http.server.BaseHTTPRequestHandler]:
    class Probe(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = health.answer(self.path)
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_args: Any) -> None:  # noqa: ANN401 - the library's signature
            """Say nothing: a probe every second is no news."""

    return Probe
