"""A folder of its own for each test, in which configurations are written, read and found wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from umbel.config import Configuration, Settings, load, read
from umbel.errors import ConfigurationError


@dataclass
class Project:
    root: Path

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def default(self, text: str) -> Path:
        return self.write("config/default.toml", text)

    def load(self, environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
        return load(environment=environment or {}, **options)

    def read(self, environment: Mapping[str, str] | None = None, **options: Any) -> Configuration:
        return read(environment=environment or {}, **options)

    def fails(self, environment: Mapping[str, str] | None = None, **options: Any) -> ConfigurationError:
        with pytest.raises(ConfigurationError) as caught:
            self.load(environment, **options)
        return caught.value


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)
