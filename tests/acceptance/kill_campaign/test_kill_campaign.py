"""Some hundreds of kills, each while a body runs: nothing lost, nothing too early, nobody blamed."""

from __future__ import annotations

import os
import random
import sys

import pytest
from tests.acceptance.kill_campaign.killing import Campaign

SHAPES = {
    "two threads": ("--processes", "2", "--threads", "2"),
    "one thread": ("--processes", "2", "--threads", "1"),
}

KILLS = 120


def campaign(make_mill, shape, kills, capsys, **options):
    seed = int(os.environ.get("CAMPAIGN_SEED", random.randrange(2**32)))
    mill = make_mill(seed=seed, options=SHAPES[shape], **options)
    found = Campaign(mill)
    with capsys.disabled():
        sys.stdout.write(f"\n{shape}: CAMPAIGN_SEED={seed}\n")
        mill.start()
        assert found.run(kills) == [], f"seed {seed}"
        assert mill.finish() == [], f"seed {seed}"
        sys.stdout.write(f"{found.summary()}\n")


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_no_task_is_lost_or_acknowledged_early_or_blamed(shape, make_mill, capsys):
    campaign(make_mill, shape, KILLS, capsys)


@pytest.mark.soak
@pytest.mark.parametrize("shape", SHAPES)
def test_thousands_of_kills_lose_nothing_either(shape, make_mill, capsys):
    campaign(make_mill, shape, int(os.environ.get("CAMPAIGN_KILLS", "2000")), capsys)
