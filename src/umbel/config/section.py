"""What every section of the settings is: frozen, strict, and closed to unknown keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Never

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from umbel.config.alternatives import is_optional

__all__ = ["NOTHING", "FilePath", "Section", "Table"]

NOTHING = "none"
"""How a layer takes back an optional value that a lower one has set; TOML has no null."""


class Section(BaseModel):
    """A table of the configuration. The text ``"none"`` unsets a key that may be unset."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, data: Any) -> Any:  # noqa: ANN401 - whatever a source holds
        if not isinstance(data, dict):
            return data
        return {name: None if cls._is_unset(name, value) else value for name, value in data.items()}

    @classmethod
    def _is_unset(cls, name: str, value: object) -> bool:
        field = cls.model_fields.get(name)
        return value == NOTHING and field is not None and is_optional(field.annotation)


class Table(dict[str, Any]):
    """A read-only ``dict``: settings that are passed on as they are must be as frozen as the others."""

    def _refuse(self, *_: object, **__: object) -> Never:
        raise TypeError("settings are frozen: change the configuration, or the Celery app's own conf")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

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


def _to_path(value: Any) -> Any:  # noqa: ANN401 - whatever a source holds
    return Path(value).expanduser() if isinstance(value, str) and value else value


FilePath = Annotated[Path, BeforeValidator(_to_path)]
"""A path on this machine; ``~`` is the user's home, and a relative path starts at the working directory."""
