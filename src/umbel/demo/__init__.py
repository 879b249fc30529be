"""A real job over real data: the flights that left New York City in 2013, through every part of Umbel.

``umbel demo`` runs it. ``README.md`` in this folder explains what to look at.
"""

from __future__ import annotations

__all__: list[str] = []
