"""What every section of the settings is: frozen, strict, and closed to unknown keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from umbel.config.alternatives import is_optional

__all__ = ["NOTHING", "FilePath", "Section"]

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


def _to_path(value: Any) -> Any:  # noqa: ANN401 - whatever a source holds
    return Path(value).expanduser() if isinstance(value, str) and value else value


FilePath = Annotated[Path, BeforeValidator(_to_path)]
"""A path on this machine; ``~`` is the user's home, and a relative path starts at the working directory."""
