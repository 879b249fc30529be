"""Configuration: one source of truth, validated once, frozen, and passed down.

:func:`load` returns :class:`Settings`; :func:`read` also says where every value came from.
"""

from umbel.config.durations import Duration, format_duration, parse_duration
from umbel.config.layers import Kind, Origin
from umbel.config.loading import Configuration, load, read
from umbel.config.settings import Settings
from umbel.config.sizes import Bytes, Size, format_size, parse_size

__all__ = [
    "Bytes",
    "Configuration",
    "Duration",
    "Kind",
    "Origin",
    "Settings",
    "Size",
    "format_duration",
    "format_size",
    "load",
    "parse_duration",
    "parse_size",
    "read",
]
