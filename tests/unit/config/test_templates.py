from __future__ import annotations

import io
import re
import tomllib

from dotenv.parser import parse_stream

from umbel.config import Settings
from umbel.config.keys import keys, variable
from umbel.config.templates import default_toml, development_toml, dotenv_example


def uncommented(text):
    return re.sub(r"^# (?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)


def test_the_default_file_changes_nothing(project):
    project.default(default_toml())
    assert project.load() == Settings()


def test_every_key_stands_in_the_default_file_with_its_default(project):
    text = uncommented(default_toml())
    values = tomllib.loads(text)
    for key in keys().values():
        table = values
        for name in key.path[:-1]:
            table = table[name]
        assert (key.path[-1] in table) is not key.secret
    project.default(text.replace("task_track_started = true", ""))
    loaded = project.load()
    assert loaded.redis is not None
    assert loaded.model_copy(update={"redis": None}) == Settings()


def test_the_development_file_is_valid(project):
    project.write("config/development.toml", development_toml())
    assert project.load().logging.level == "DEBUG"


def test_the_example_of_dotenv_names_every_secret_and_is_valid(project):
    text = dotenv_example()
    project.write(".env", text)
    assert project.load() == Settings()
    names = {
        binding.key for binding in parse_stream(io.StringIO(re.sub(r"^# (?=[A-Z_]+=)", "", text, flags=re.MULTILINE)))
    }
    assert {variable(key.path) for key in keys().values() if key.secret} <= names
    assert {"APP_ENV", "UMBEL_CONFIG_DIR"} <= names
