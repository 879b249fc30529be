"""What ``broker_transport_options`` may say to the adapter."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from umbel.errors import ConfigurationError

__all__ = ["ChannelOptions"]

_POSITIVE = ("lease", "poll_interval", "max_message_size", "crash_limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """How channels consume and publish. Durations are seconds, sizes bytes.

    ``consumer_name`` is shown to operators (default: host:pid). ``keeper``: a thread of this process
    renews the lease and recovers dead consumers; False when a supervisor does both.
    """

    lease: float = 15.0
    poll_interval: float = 0.5
    max_message_size: int = 16 * 1024 * 1024
    crash_limit: int = 3
    consumer_name: str | None = None
    run_table: str | None = None
    keeper: bool = True

    @classmethod
    def chosen_from(cls, transport_options: Mapping[str, Any]) -> ChannelOptions:
        """Return the options that are ours; those of kombu and of the store are left alone.

        Raises:
            ConfigurationError: a number is not positive.
        """
        ours = {name: transport_options[name] for name in cls.__slots__ if transport_options.get(name) is not None}
        for name in _POSITIVE:
            value = ours.get(name, 1)
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise ConfigurationError(
                    f"broker_transport_options[{name!r}]: expected a positive number, found {value!r}", key=name
                )
        return cls(**ours)

    @property
    def name(self) -> str:
        """The consumer's name as operators see it."""
        return self.consumer_name or f"{socket.gethostname()}:{os.getpid()}"
