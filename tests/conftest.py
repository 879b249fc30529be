"""What every test gets: a clean environment, patience without sleeping, and an ear for events."""

from __future__ import annotations

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
    """Fail the session when a test has left a child process behind, and end that process."""
    yield
    children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs(children, timeout=5)
    left = [f"{process.pid}: {' '.join(process.cmdline())[:200]}" for process in alive if _is_ours(process)]
    for process in alive:
        if _is_ours(process):
            process.kill()
    assert not left, "left behind: " + "; ".join(left)


def _is_ours(process: psutil.Process) -> bool:
    """Python's own resource tracker lives as long as the interpreter that started it."""
    try:
        return "resource_tracker" not in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
