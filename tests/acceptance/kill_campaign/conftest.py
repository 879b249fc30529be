"""A mill for each test, with nothing of it left afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.kill_campaign.killing import Mill


@pytest.fixture
def make_mill(tmp_path: Path) -> Iterator[Callable[..., Mill]]:
    """Return what makes a mill in the test's folder."""
    made: list[Mill] = []

    def make(**options: Any) -> Mill:
        made.append(Mill.at(tmp_path, **options))
        return made[-1]

    yield make
    for mill in made:
        mill.close()
