"""Umbel beside its peers: the same no-op task, the same machine, the same run.

What is fair here: each peer at its best documented settings, with pinned versions that are printed;
rounds of all systems take turns, so that a machine that slows down slows all; effects are counted (each
body writes one byte to a ledger), never queue lengths; medians with the spread; and the safety that each
system gives while it is measured stands beside its figure.
"""
