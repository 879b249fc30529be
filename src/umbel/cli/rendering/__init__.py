"""How results look: tables and words for people, JSON for machines."""

from __future__ import annotations

__all__: list[str] = []
