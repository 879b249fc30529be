"""The operator's questions to the configuration, answered over real files."""

from __future__ import annotations

import pytest

from umbel.config import Kind
from umbel.control.configuration import (
    check_configuration,
    configuration_schema,
    init_configuration,
    show_configuration,
)
from umbel.errors import ConfigurationError, NotFoundError, StorageUnwritableError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    return tmp_path


def test_every_setting_is_shown_with_its_origin(root):
    (root / "config" / "default.toml").write_text('[broker]\nlease = "90s"\n')
    entries = {entry.name: entry for entry in show_configuration()}
    assert (entries["broker.lease"].value, entries["broker.lease"].origin) == ('"1m 30s"', "config/default.toml:2")
    assert entries["tasks.time_limit"].kind is Kind.DEFAULT
    assert not any(name.startswith("redis.") for name in entries)


def test_secrets_are_hidden_wherever_they_come_from(root, monkeypatch):
    monkeypatch.setenv("UMBEL__BROKER__URL", "redis://:geheim@h/1")
    monkeypatch.setenv("UMBEL__RESULTS__URL", "redis://h/1")
    monkeypatch.setenv("UMBEL__RESULTS__PASSWORD", "geheim")
    monkeypatch.setenv("UMBEL__CELERY__S3_SECRET_ACCESS_KEY", "geheim")
    monkeypatch.setenv("UMBEL__CELERY__BROKER_READ_URL", "amqp://u:geheim@h")
    entries = {entry.name: entry.value for entry in show_configuration(said=True)}
    assert entries == {
        "broker.url": '"redis://:***@h/1"',
        "results.url": '"redis://h/1"',
        "results.password": '"***"',
        "celery.s3_secret_access_key": '"***"',
        "celery.broker_read_url": '"amqp://u:***@h"',
    }


@pytest.mark.parametrize(
    ("only", "first", "number"),
    [
        (("broker.lease",), "broker.lease", 1),
        (("tasks.retry",), "tasks.retry.attempts", 4),
        (("app", "logging"), "app.name", 3),
    ],
)
def test_a_section_or_a_key_may_be_asked_for(only, first, number):
    entries = show_configuration(only=only)
    assert (entries[0].name, len(entries)) == (first, number)


def test_an_unknown_section_is_answered_with_the_nearest_one():
    with pytest.raises(NotFoundError) as caught:
        show_configuration(only=("brokr",))
    assert caught.value.message == "'brokr': expected a section or a key such as broker.lease"
    assert caught.value.hint == "did you mean broker?"


def test_a_check_says_what_was_read(root, monkeypatch):
    (root / "config" / "default.toml").write_text("[worker]\nthreads = 2\nprocesses = 1\n")
    monkeypatch.setenv("UMBEL__LOGGING__LEVEL", "DEBUG")
    checked = check_configuration()
    assert [(str(file.path), file.exists) for file in checked.files] == [
        ("config/default.toml", True),
        ("config/development.toml", False),
        (".env", False),
    ]
    assert (checked.environment, checked.variables, checked.said, checked.warnings) == ("development", 1, 3, ())


def test_a_check_of_a_wrong_configuration_fails_with_all_of_it(root):
    (root / "config" / "default.toml").write_text('[worker]\nthreads = "x"\nfred = 1\n')
    with pytest.raises(ConfigurationError) as caught:
        check_configuration()
    assert [problem["key"] for problem in caught.value.details["problems"]] == ["worker.threads", "worker.fred"]


@pytest.mark.parametrize(
    ("mode", "text", "warned"),
    [
        (0o644, "UMBEL__BROKER__URL=redis://h/1\nUMBEL__BROKER__PASSWORD=x\n", True),
        (0o640, "UMBEL__BROKER__URL=redis://:x@h/1\n", True),
        (0o600, "UMBEL__BROKER__URL=redis://:x@h/1\n", False),
        (0o644, "UMBEL__BROKER__URL=redis://h/1\n", False),
    ],
)
def test_a_secret_that_others_may_read_is_warned_of(root, mode, text, warned):
    (root / ".env").write_text(text)
    (root / ".env").chmod(mode)
    warnings = check_configuration().warnings
    expected = f".env holds a secret and others may read it (mode {mode:03o}): chmod 600 .env"
    assert warnings == ((expected,) if warned else ())


def test_init_writes_a_valid_start_and_overwrites_nothing(root):
    (root / "config" / "development.toml").write_text("# mine\n")
    written = {str(file.path): file.created for file in init_configuration()}
    assert written == {"config/default.toml": True, "config/development.toml": False, ".env.example": True}
    assert (root / "config" / "development.toml").read_text() == "# mine\n"
    assert check_configuration().said == 0
    assert not any(file.created for file in init_configuration())


def test_init_makes_the_folder_that_is_named(root):
    init_configuration(config_dir=root / "deep" / "etc")
    assert (root / "deep" / "etc" / "default.toml").is_file()


def test_init_where_nothing_can_be_written_names_the_file(root):
    (root / "file").write_text("")
    with pytest.raises(StorageUnwritableError) as caught:
        init_configuration(config_dir=root / "file")
    assert caught.value.message.startswith(f"{root}/file/default.toml: expected to write a new file, but ")
    assert caught.value.hint == "name a folder that you may write: umbel config init --config-dir DIR"


def test_the_schema_is_handed_out():
    assert "broker" in configuration_schema()["properties"]
