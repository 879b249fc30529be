"""The register of aircraft: an HTTP service that is down now and then, and the client that asks it.

The service is a real one on a free local port. Which requests it refuses follows from the seed, the
tail number and how often it was asked for that number, so that every run meets the same failures in
whatever order the workers ask. It refuses one aircraft at most :data:`MAX_REFUSALS` times.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from umbel import TemporaryError

__all__ = ["MAX_REFUSALS", "Register", "look_up", "serve"]

MAX_REFUSALS = 3
"""How often in a row one aircraft is refused at most; the tasks may try once more than that."""

_REFUSED_PERCENT = 25
_TIMEOUT_SECONDS = 10.0


class Register:
    """What the service knows, and how often it has answered."""

    def __init__(self, aircraft: Mapping[str, str], *, seed: int) -> None:
        self._aircraft = aircraft
        self._seed = seed
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.answered = 0
        self.refused = 0

    def answer(self, tailnum: str) -> tuple[HTTPStatus, dict[str, str]]:
        """Return status and body for one request."""
        with self._lock:
            if self._refuses(tailnum):
                self.refused += 1
                return HTTPStatus.SERVICE_UNAVAILABLE, {"problem": "the register is overloaded"}
            self.answered += 1
        model = self._aircraft.get(tailnum)
        if model is None:
            return HTTPStatus.NOT_FOUND, {"problem": f"no aircraft {tailnum}"}
        return HTTPStatus.OK, {"tailnum": tailnum, "model": model}

    def _refuses(self, tailnum: str) -> bool:
        self._asked[tailnum] += 1
        time = self._asked[tailnum]
        draw = zlib.crc32(f"{self._seed}:{tailnum}:{time}".encode()) % 100
        return time <= MAX_REFUSALS and draw < _REFUSED_PERCENT


@contextmanager
def serve(register: Register) -> Iterator[str]:
    """Serve the register on a free port of this machine while the block runs; give its ``host:port``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            status, content = register.answer(self.path.rpartition("/")[2])
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base gave it
            """Say nothing: the terminal shows the run."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="register", daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def look_up(address: str, tailnum: str) -> str | None:
    """Return the aircraft's model; None when the register knows no such aircraft.

    Raises:
        TemporaryError: the register cannot be reached or refuses to answer now.
    """
    try:
        status, body = _get(address, f"/aircraft/{tailnum}")
    except (OSError, HTTPException) as problem:
        raise TemporaryError(f"the register at {address} cannot be reached: {problem!r}", tailnum=tailnum) from problem
    if status == HTTPStatus.NOT_FOUND:
        return None
    if status != HTTPStatus.OK:
        raise TemporaryError(f"the register answered {status}", error_code="REGISTER_UNAVAILABLE", tailnum=tailnum)
    model: str = json.loads(body)["model"]
    return model


def _get(address: str, path: str) -> tuple[int, bytes]:
    with closing(HTTPConnection(address, timeout=_TIMEOUT_SECONDS)) as connection:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read()
