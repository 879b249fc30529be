"""Whatever the sources hold, loading returns settings or one error of the configuration, and shows no secret."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from umbel.config import Settings, load
from umbel.config.celery import translate
from umbel.config.keys import keys, sections, variable
from umbel.config.raw import OWNED
from umbel.config.written import human
from umbel.errors import ConfigurationError

SECRET = "geheim-8f2c"
URLS = [
    f"redis://:{SECRET}@h/1",
    f"redis://:{SECRET}@[::1/1",
    f"redis://:a@{SECRET}@h:99999/x",
    f"rediz://u:{SECRET}@h",
    f"amqp://u:a/{SECRET}#@h//",
    f"sentinel://:{SECRET}@a:26379;sentinel://b:26379",
    f"redis://h/1?password={SECRET}",
    f"postgresql://u:{SECRET}@h/db?sslmode=require",
    "redis://[::1]:6379/0",
    "redis://h/1?db=x",
    "memory://",
    "sqlite:///a.db",
]
TEXTS = st.one_of(
    st.sampled_from(URLS),
    st.sampled_from(
        ["none", "auto", "15s", "1h 30m", "256 MiB", "256M", "5", "true", "off", "{}", "[1]", "nan", "1e999"]
    ),
    st.text(max_size=20),
)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.floats(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=5,
)
PATHS = st.sampled_from(
    [*keys(), *sections(), *(("celery", name) for name in OWNED), ("celery", "task_routes"), ("x", "y")]
)
CLEAN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()


def survives(loading: Callable[[], Settings]) -> None:
    error: ConfigurationError | None = None
    try:
        loaded = loading()
    except ConfigurationError as caught:
        error = caught
    if error is None:
        urls = (loaded.broker.url, loaded.results.url, loaded.database.url, loaded.redis and loaded.redis.url)
        assert SECRET not in repr((*urls, loaded.celery)) + human(loaded.celery)
        translate(loaded)
    else:
        assert SECRET not in str(error) + str(error.contract())
        assert error.details["problems"]


@CLEAN
@given(st.lists(st.tuples(PATHS, VALUES), max_size=5), st.sampled_from(["development", "production"]))
def test_no_value_of_any_key_breaks_loading(said, environment):
    tree: dict[str, object] = {}
    for path, value in said:
        table = tree
        for name in path[:-1]:
            inner = table.setdefault(name, {})
            table = inner if isinstance(inner, dict) else {}
        table[path[-1]] = value
    survives(lambda: load(environment={"APP_ENV": environment}, overrides=tree))


@CLEAN
@given(st.dictionaries(PATHS.map(variable), TEXTS, max_size=6), st.sampled_from(["development", "production"]))
def test_no_variable_breaks_loading(variables, environment):
    survives(lambda: load(environment={"APP_ENV": environment, **variables}))


@CLEAN
@given(st.text(string.ascii_uppercase + "_" + string.digits, max_size=12), st.text(max_size=5))
def test_no_name_of_a_variable_breaks_loading(name, value):
    survives(lambda: load(environment={f"UMBEL__{name}": value}))


@CLEAN
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf[broker]\n")
@example(b"[broker]\rurl = 1")
@example(b"a = 1 # \r\n\tb = '''\r\n'''\r\n[c]\r\nd = 2")
def test_no_content_of_a_file_breaks_loading(content):
    Path("config/default.toml").write_bytes(content)
    survives(lambda: load(environment={}))


@CLEAN
@given(st.text(max_size=200))
@example('[a]\nb = {c = 1, d = {e = [1, {f = 2}]}}\n\'x\' = """\n"""""\n[[g]]\n')
def test_no_toml_breaks_loading(content):
    Path("config/default.toml").write_text(content, encoding="utf-8", errors="replace")
    survives(lambda: load(environment={}))


@CLEAN
@given(st.text(max_size=100))
@example("UMBEL__BROKER__PASSWORD")
@example("=\n'a\nexport\n")
def test_no_content_of_dotenv_breaks_loading(content):
    Path(".env").write_text(content, encoding="utf-8", errors="replace")
    survives(lambda: load(environment={}))
