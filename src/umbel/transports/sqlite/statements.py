"""The store's statements, one family per contract."""

from __future__ import annotations

from umbel.database import Queries

__all__ = ["BINDINGS", "CLAIMS", "DEAD_LETTERS", "INSPECTION", "PRESENCE", "QUEUES", "SETTLEMENT"]

_PACKAGE = "umbel.transports.sqlite.sql"

BINDINGS = Queries(_PACKAGE, "bindings")
CLAIMS = Queries(_PACKAGE, "claims")
DEAD_LETTERS = Queries(_PACKAGE, "deadletters")
INSPECTION = Queries(_PACKAGE, "inspection")
PRESENCE = Queries(_PACKAGE, "presence")
QUEUES = Queries(_PACKAGE, "queues")
SETTLEMENT = Queries(_PACKAGE, "settlement")
