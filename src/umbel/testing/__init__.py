"""The test kit: the suite that every queue store has to pass, importable by the authors of others.

Needs the ``testing`` extra: pytest and hypothesis.
"""

from __future__ import annotations

__all__: list[str] = []
