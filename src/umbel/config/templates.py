"""The files of ``umbel config init``, written from the model: every key with what it means and its default.

The keys stand as comments: what nobody has decided keeps following Umbel's defaults.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from umbel.config.keys import RAW, Key, keys, sections, variable
from umbel.config.toml_lines import Path
from umbel.config.written import human

__all__ = ["default_toml", "development_toml", "dotenv_example"]

_WIDTH = 100

_DEFAULT_HEAD = """\
# The settings of every environment, without secrets. Remove the "# " before a key to set it.
#
#   built-in defaults < default.toml < {APP_ENV}.toml < .env < environment (UMBEL__SECTION__KEY)
#
# umbel config check         says whether all of it is right
# umbel config show --origin says what holds, and where it was said
# umbel config schema        gives editors the keys: save it as umbel.schema.json beside this file
#:schema ./umbel.schema.json
"""

_DEVELOPMENT = """\
# What differs on a developer's machine. It holds while APP_ENV is development, or not set.
#:schema ./umbel.schema.json

[logging]
level = "DEBUG"
"""

_DOTENV_HEAD = """\
# Secrets, and what must be known before the files are read. Copy this to .env; never commit that.
# Values are taken as they stand; one with spaces or # needs quotes.

# Which {APP_ENV}.toml is read. Outside development a network broker needs a password.
APP_ENV=development

# The folder of default.toml.
# UMBEL_CONFIG_DIR=config
"""

_OPTIONAL: dict[Path, str] = {
    ("redis",): "# Remove the # before [redis] too: the section is off until it is there.\n# [redis]"
}
_EXAMPLES: dict[Path, str] = {("redis", "url"): '"redis://localhost:6379/0"'}


def default_toml() -> str:
    """Return ``config/default.toml``: every key that may stand in a file, as a comment."""
    return "\n".join([_DEFAULT_HEAD, *(_section(path, about) for path, about in sections().items())])


def development_toml() -> str:
    """Return ``config/development.toml``."""
    return _DEVELOPMENT


def dotenv_example() -> str:
    """Return ``.env.example``: the bootstrap variables, and one for each secret."""
    secrets = [f"# {key.name}: {key.description}\n# {variable(key.path)}=\n" for key in keys().values() if key.secret]
    return "\n".join([_DOTENV_HEAD, *secrets])


def _section(path: Path, about: str) -> str:
    head = _OPTIONAL.get(path, f"[{'.'.join(path)}]")
    body = ["# task_track_started = true"] if path == (RAW,) else list(_keys(path))
    return "\n".join([*_comment(about), head, *body, ""])


def _keys(path: Path) -> Iterator[str]:
    for key in keys().values():
        if key.path[:-1] == path and not key.secret:
            yield ""
            yield from _comment(key.description)
            yield f"# {key.path[-1]} = {_default(key)}"


def _default(key: Key) -> str:
    return _EXAMPLES.get(key.path) or human(key.default)


def _comment(text: str) -> list[str]:
    return [f"## {line}" for line in textwrap.wrap(text, _WIDTH)]
