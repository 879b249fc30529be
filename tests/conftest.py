"""What every test gets: a clean environment, patience without sleeping, and an ear for events."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from hypothesis import settings

from umbel import events
from umbel.clock import ManualClock

# A busy machine is no failure, and neither is a slow first example.
settings.register_profile("umbel", deadline=None, print_blob=True)
settings.load_profile("umbel")

MARK = "TESTS_OF_UMBEL"
"""In the environment of every process that this session starts."""


def pytest_sessionstart() -> None:
    """Take away what the caller's shell says about Umbel: tests say what they mean."""
    for name in list(os.environ):
        if name.startswith("UMBEL_") or name == "APP_ENV":
            del os.environ[name]


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test moves it."""
    return ManualClock()


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until a condition holds; fail, naming it, when it does not within the deadline."""

    def wait(condition: Callable[[], object], *, within: float = 10.0, claim: str = "the condition holds") -> None:
        deadline = time.monotonic() + within
        pause = 0.001
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"expected within {within:g} s: {claim}")
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    return wait


@pytest.fixture
def heard() -> Iterator[list[events.Event]]:
    """Every event that is emitted in this process while the test runs."""
    collected: list[events.Event] = []
    unsubscribe = events.subscribe(events.Event, collected.append)
    yield collected
    unsubscribe()


@pytest.fixture(autouse=True, scope="session")
def _no_process_outlives_the_tests() -> Iterator[None]:
    """Fail the session when a test has left a process behind, an orphan included, and end that process."""
    os.environ[MARK] = f"{os.getpid()}.{time.monotonic_ns()}"
    yield
    _, alive = psutil.wait_procs(_descendants(), timeout=5)
    left = [_words(process) for process in alive]
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert not left, "left behind: " + "; ".join(left)


def _descendants() -> list[psutil.Process]:
    """Return what this session has started: its children, and all that inherited its mark."""
    children = psutil.Process().children(recursive=True)
    marked = [process for process in psutil.process_iter() if _has_mark(process)]
    found = {process.pid: process for process in [*children, *marked] if process.pid != os.getpid()}
    # Python's own resource tracker lives as long as the interpreter that started it.
    return [process for process in found.values() if "resource_tracker" not in _words(process)]


def _has_mark(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.environ().get(MARK) == os.environ[MARK]
    return False


def _words(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{process.pid}: {' '.join(process.cmdline())[:200]}"
    return f"{process.pid}: gone"
