"""Where the outcomes of tasks are kept, and how chords are completed from them.

A result backend here is Celery's, through its extension points: :mod:`umbel.results.sql` keeps results in
a SQL database. What does not depend on the database stands beside it: what is stored
(:mod:`~umbel.results.records`), how results wait for a settlement (:mod:`~umbel.results.buffer`), when a
chord's body starts (:mod:`~umbel.results.chords`), and how callers wait (:mod:`~umbel.results.waiting`).
"""

from __future__ import annotations

__all__: list[str] = []
