"""The demo's Umbel application.

A run of the demo has a folder of its own: its ``config/`` says where queues and results are, and the
tasks find the flights and the warehouse beside it, because the worker starts there.
"""

from __future__ import annotations

from pathlib import Path

from umbel import Umbel
from umbel.demo.warehouse import Warehouse

__all__ = ["BULK", "CRITICAL", "FLIGHTS", "app", "warehouse"]

CRITICAL = "critical"
BULK = "bulk"
FLIGHTS = Path("flights.csv")

app = Umbel("flights", include=["umbel.demo.tasks"])
warehouse = Warehouse(Path("warehouse.db"))
