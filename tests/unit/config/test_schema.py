from __future__ import annotations

import json
import re

import pytest

from umbel import _celery
from umbel.config import raw
from umbel.config.keys import keys
from umbel.config.schema import schema


def at(path):
    table = schema()
    for name in path:
        table = table["properties"][name]
    return table


@pytest.mark.parametrize("key", keys().values(), ids=lambda key: key.name)
def test_every_key_that_may_stand_in_a_file_is_in_the_schema_and_no_secret_is(key):
    table = at(key.path[:-1])
    assert table["additionalProperties"] is False
    assert (key.path[-1] in table["properties"]) is not key.secret
    if not key.secret:
        assert table["properties"][key.path[-1]]["description"] == key.description


def test_durations_and_sizes_are_written_as_people_write_them():
    lease, size = at(("broker", "lease")), at(("broker", "max_message_size"))
    assert (lease["default"], size["default"]) == ("15s", "16 MiB")
    for good, bad in (("15s", "15"), ("1h 30m", "soon")):
        assert re.search(lease["pattern"], good)
        assert not re.search(lease["pattern"], bad)
    for text in ("256 MiB", "50MB", "1.5 GiB", "10 bytes", "1 B"):
        assert re.search(size["pattern"], text)
    for text in ("256", "256 M", "MiB"):
        assert not re.search(size["pattern"], text)


def test_what_may_be_unset_allows_none():
    assert {"const": "none"} in at(("tasks", "time_limit"))["anyOf"]
    assert at(("worker", "max_memory_per_shard"))["default"] == "none"


def test_celerys_settings_are_there_without_those_that_we_speak_for():
    properties = at(("celery",))["properties"]
    assert properties["task_track_started"] == {"type": "boolean", "default": False}
    assert not set(properties) & set(raw.OWNED)
    assert "redis_password" not in properties
    assert set(properties) <= set(_celery.setting_options())


def test_the_schema_is_strict_json():
    text = json.dumps(schema(), allow_nan=False)
    assert '"$ref"' not in text
    assert '"null"' not in text
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
