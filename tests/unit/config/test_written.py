from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from umbel.config import Bytes
from umbel.config.keys import keys
from umbel.config.urls import Url
from umbel.config.written import human

IN_FILES = [key for key in keys().values() if not key.secret and key.path[0] != "redis"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, '"none"'),
        (True, "true"),
        (5, "5"),
        (2.5, "2.5"),
        ('a"b', '"a\\"b"'),
        (timedelta(minutes=5), '"5m"'),
        (Bytes(1024), '"1 KiB"'),
        (Path("/tmp/x"), '"/tmp/x"'),
        (SecretStr("geheim"), '"***"'),
        (Url("redis://:geheim@h/1"), '"redis://:***@h/1"'),
        ("amqp://u:geheim@h", '"amqp://u:***@h"'),
        (["a", 1, {"b": False}], '["a", 1, {"b" = false}]'),
        (
            {"password": "geheim", "deep": {"api_key": "geheim", "x": 1}},
            '{"password" = "***", "deep" = {"api_key" = "***", "x" = 1}}',
        ),
    ],
)
def test_a_value_is_written_as_toml_with_its_secrets_hidden(value, text):
    assert human(value) == text


@pytest.mark.parametrize("key", IN_FILES, ids=lambda key: key.name)
def test_what_is_shown_of_a_default_is_read_back_as_that_default(project, key):
    project.default(f"{key.name} = {human(key.default)}")
    value = project.load()
    for name in key.path:
        value = getattr(value, name)
    assert value == key.default
