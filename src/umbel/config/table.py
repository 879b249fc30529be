"""A read-only table, for settings that are passed on as they are."""

from __future__ import annotations

from typing import Any, Never

from umbel.config.urls import hide, is_secret_name

__all__ = ["Table", "without_secrets"]


class Table(dict[str, Any]):
    """A read-only ``dict``: settings that are passed on as they are must be as frozen as the others."""

    def _refuse(self, *_: object, **__: object) -> Never:
        raise TypeError("settings are frozen: change the configuration, or the Celery app's own conf")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __repr__(self) -> str:
        return repr(without_secrets(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Table, (dict(self),))

    @classmethod
    def freeze(cls, value: Any) -> Any:  # noqa: ANN401 - a tree of tables, lists and scalars
        """Return the tree with every table read-only and every list a tuple."""
        if isinstance(value, dict):
            return cls({name: cls.freeze(item) for name, item in value.items()})
        if isinstance(value, (list, tuple)):
            return tuple(cls.freeze(item) for item in value)
        return value

    @classmethod
    def thaw(cls, value: Any) -> Any:  # noqa: ANN401 - a tree of tables, tuples and scalars
        """Return the tree as plain dicts and lists, which its new owner may change."""
        if isinstance(value, dict):
            return {name: cls.thaw(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [cls.thaw(item) for item in value]
        return value


def without_secrets(value: Any) -> Any:  # noqa: ANN401 - a tree of tables, lists and scalars
    """Return the tree with ``***`` for every secret: what a secret name holds, and passwords inside URLs."""
    if isinstance(value, dict):
        return {name: _by_name(name, item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return hide(value) if isinstance(value, str) else value


def _by_name(name: str, value: object) -> object:
    return "***" if is_secret_name(name) and isinstance(value, str) and value else without_secrets(value)
