"""A suspect runs alone, so that the next death has one possible cause."""


def test_a_suspect_that_waits_for_its_rate_runs_alone_too(mill):
    suspects = [mill.send("drip", f"drip{number}") for number in range(5)]
    dead = mill.store.register("dead", lease=60.0)
    mill.store.claim("celery", dead, 10)
    mill.store.reap(dead, started=None)
    others = [mill.send("grind", f"other{number}", 0.2) for number in range(8)]
    mill.start("--processes", "1", "--threads", "2")
    for sent in [*suspects, *others]:
        mill.result(sent)
    mill.settled()
    spans = [
        (start.at, end.at) for start in mill.effects("start") for end in mill.effects("end") if start.label == end.label
    ]
    drips = [effect.at for effect in mill.effects("start") if effect.label.startswith("drip")]
    assert len(drips) == len(suspects)
    assert len(spans) == len(others)
    assert [at for at in drips if any(start < at < end for start, end in spans)] == []
