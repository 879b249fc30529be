"""The app of these tests: bodies that behave, and bodies that do everything a body must not."""

import ctypes
import os
import time
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from celery.worker.request import Request

from umbel import Umbel

HOME = Path(os.environ["MILL"])
STORE = f"sqlite:///{HOME}/mill.db"

app = Umbel("mill", broker=STORE, backend=STORE)
hoard = []


class Flood(BaseException):
    """No Exception: nobody who catches those catches this."""


def note(*words):
    """Write one line that all processes may write at once: when, which process, and the words."""
    line = " ".join(map(str, (time.monotonic(), os.getpid(), *words)))
    descriptor = os.open(HOME / "effects", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


@app.task
def grind(label, seconds=0.0):
    note("start", label)
    time.sleep(seconds)
    note("end", label)
    return os.getpid()


@app.task
def hog(label, seconds):
    """Hold the interpreter's lock: no other thread of the process runs."""
    note("start", label)
    ctypes.PyDLL(None).sleep(seconds)
    note("end", label)


@app.task
def jam(label):
    """Hold the interpreter's lock for ever; not even a signal ends the call."""
    note("start", label)
    library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(128)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


@app.task
def stop_softly(label, seconds):
    started = time.monotonic()
    try:
        time.sleep(seconds)
    except SoftTimeLimitExceeded:
        return time.monotonic() - started
    return None


@app.task
def crash(label):
    note("start", label)
    ctypes.string_at(0)


@app.task
def leave(label, code=3):
    note("start", label)
    os._exit(code)


@app.task
def throw(kind):
    kinds = {kind.__name__: kind for kind in (SystemExit, KeyboardInterrupt, MemoryError, Flood, RecursionError)}
    raise kinds[kind]("on purpose")


@app.task
def spawn(seconds):
    """Fork a child and leave it to itself."""
    child = os.fork()
    if not child:
        time.sleep(seconds)
        os._exit(0)
    return child


@app.task
def eat(label, mebibytes, seconds=0.0):
    """Keep memory for ever."""
    note("start", label)
    hoard.append(bytearray(b"\1") * (mebibytes << 20))
    time.sleep(seconds)
    return os.getpid()


class StumblingRequest(Request):
    """Of some other library: its bookkeeping fails."""

    def on_failure(self, *_args, **_options):
        raise RuntimeError("on_failure fails")


@app.task(Request=StumblingRequest)
def stumble(label):
    note("start", label)
    raise ValueError(label)


@app.task(rate_limit="20/s")
def drip(label):
    note("start", label)
