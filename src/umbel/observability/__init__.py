"""Turns events into what people read. The only room that formats them."""

from __future__ import annotations

from umbel.observability.logs import log_events, set_up_logging

__all__ = ["log_events", "set_up_logging"]
