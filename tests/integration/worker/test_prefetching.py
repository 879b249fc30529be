"""Nothing waits behind a slow task while there is room elsewhere, and nothing hoards."""

import statistics


def test_a_shard_claims_nothing_that_it_cannot_start(mill):
    mill.start("--processes", "2", "--threads", "1")
    for number in range(50):
        mill.send("grind", f"quick{number}", 0.001)
    mill.settled()
    for number in range(2):
        mill.send("grind", f"slow{number}", 3)
    for number in range(2):
        mill.started(f"slow{number}")
    for number in range(20):
        mill.send("grind", f"waiting{number}")
    mill.until(
        lambda: (mill.counts().ready, mill.counts().claimed) == (20, 2), within=3, claim="20 are ready for others"
    )
    mill.start("--processes", "1", "--threads", "1")
    mill.until(
        lambda: sum(label.startswith("waiting") for label in mill.labels("end")) == 20,
        within=2,
        claim="another worker has run them",
    )
    assert "slow0" not in mill.labels("end")


def test_quick_tasks_do_not_wait_behind_slow_ones(mill):
    mill.start("--processes", "2", "--threads", "2")
    published = {}
    for number in range(200):
        mill.send("grind", f"quick{number}", 0.001)
    mill.settled()
    for number in range(150):
        # Three slow ones among them; one slot of four stays free for the quick ones.
        label = f"slow{number}" if number in (20, 40, 60) else f"mixed{number}"
        mill.send("grind", label, 5 if label.startswith("slow") else 0.001)
        published[label] = len(published)
    quick = {label for label in published if label.startswith("mixed")}
    mill.until(lambda: quick <= set(mill.labels("end")), within=5, claim="the quick ones have run")
    assert not any(label.startswith("slow") for label in mill.labels("end"))
    ends = [effect.at for effect in mill.effects("end") if effect.label in quick]
    starts = [effect.at for effect in mill.effects("start") if effect.label.startswith("slow")]
    assert len(starts) == 3
    assert statistics.median(ends) - min(starts) < 1.5
    assert max(ends) - min(starts) < 4
