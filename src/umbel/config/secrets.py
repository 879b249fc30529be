"""Secrets that stand in a TOML file, where they do not belong: files are committed, and shared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from umbel.config.keys import RAW, keys, variable
from umbel.config.layers import Layer, walk
from umbel.config.problems import Problem
from umbel.config.toml_lines import Path
from umbel.config.urls import holds_secret, is_secret_name
from umbel.errors import SecretInFileError

__all__ = ["problems"]


def problems(layer: Layer) -> Iterator[Problem]:
    """Yield every secret in the layer of a file: a secret key, or a password inside a URL."""
    for path, value in walk(layer.values):
        if _is_secret_key(path) and value not in ("", None) and not isinstance(value, dict):
            yield _secret(layer, path, f"move it to .env or the environment, as {variable(path)}")
        elif any(holds_secret(text) for text in _texts(value)):
            yield _secret(layer, path, _remedy_for_url(path), where=" inside a URL")


def _is_secret_key(path: Path) -> bool:
    key = keys().get(path)
    return key.secret if key is not None else path[0] == RAW and is_secret_name(path[-1])


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a file holds; tables are walked already
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(list(item.values()) if isinstance(item, dict) else item)


def _remedy_for_url(path: Path) -> str:
    password = (*path[:-1], "password")
    if password in keys():
        return f"take the password out of the URL and set {variable(password)} in .env or the environment"
    return f"move the URL to .env or the environment, as {variable(path)}"


def _secret(layer: Layer, path: Path, remedy: str, *, where: str = "") -> Problem:
    return Problem(
        key=".".join(path),
        origin=layer.origin(path),
        kind=SecretInFileError,
        expected="no secret in a TOML file",
        found=f"a secret{where} (not shown)",
        remedy=remedy,
    )
