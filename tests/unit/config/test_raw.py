from __future__ import annotations

import pytest

from umbel import _celery
from umbel.config import raw
from umbel.config.keys import keys
from umbel.errors import ConfigurationError, ConflictError, UnknownKeyError


@pytest.mark.parametrize("name", sorted(raw.OWNED))
def test_a_raw_setting_that_a_key_of_ours_speaks_for_is_a_conflict_naming_both(project, name):
    ours = ".".join(raw.OWNED[name])
    error = project.fails({}, overrides={"celery": {name: 5}})
    assert isinstance(error, ConflictError)
    assert f"celery.{name}: expected this to be said by {ours}, found " in error.message
    assert error.hint == f"remove {name} from [celery] and set {ours}"


@pytest.mark.parametrize("name", sorted(raw.TRANSPORT_OPTIONS))
def test_a_transport_option_that_a_key_of_ours_speaks_for_is_a_conflict(project, name):
    project.default(f"[celery.broker_transport_options]\n{name} = 5\n")
    ours = ".".join(raw.TRANSPORT_OPTIONS[name])
    error = project.fails()
    assert isinstance(error, ConflictError)
    assert error.message == (
        f"config/default.toml:2: celery.broker_transport_options.{name}: expected this to be said by {ours}, "
        "found the integer 5"
    )
    assert error.hint == f"remove {name} from [celery.broker_transport_options] and set {ours}"


def test_what_we_own_exists_on_both_sides():
    assert set(raw.OWNED) <= set(_celery.setting_options())
    assert {*raw.OWNED.values(), *raw.TRANSPORT_OPTIONS.values()} <= set(keys())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("task_track_startd", "did you mean celery.task_track_started?"),
        ("CELERY_TASK_SERIALIZER", "its name is task_serializer (lowercase, as since Celery 4)"),
        ("CELERYD_CONCURRENCY", "its name is worker_concurrency (lowercase, as since Celery 4)"),
        ("BROKER_HEARTBEAT", "its name is broker_heartbeat (lowercase, as since Celery 4)"),
        ("qqqqqqqq", "umbel config schema lists the settings of Celery"),
    ],
)
def test_an_unknown_setting_of_celery_is_answered_with_the_right_name(project, name, hint):
    project.default(f"[celery]\n{name} = 5\n")
    error = project.fails()
    assert isinstance(error, UnknownKeyError)
    assert error.message == (
        f"config/default.toml:2: celery.{name}: expected a setting of Celery, found the unknown setting {name!r}"
    )
    assert error.hint == hint


@pytest.mark.parametrize(
    ("toml", "expected", "found"),
    [
        ('task_track_started = "yes"', "true or false", "the text 'yes'"),
        ("broker_heartbeat = true", "an integer", "the boolean true"),
        ('event_queue_ttl = "5s"', "a number of seconds", "the text '5s'"),
    ],
)
def test_a_wrong_type_is_refused_before_celery_sees_it(project, toml, expected, found):
    project.default(f"[celery]\n{toml}\n")
    error = project.fails()
    assert type(error) is ConfigurationError
    name = toml.partition(" ")[0]
    assert error.message == f"config/default.toml:2: celery.{name}: expected {expected}, found {found}"


def test_every_other_setting_of_celery_is_reachable(project):
    samples = {"bool": True, "int": 5, "float": 2.5, "list": ["x"], "tuple": ["x"], "dict": {"a": 1}}
    reachable = {
        name: samples.get(option.type, "text")
        for name, option in _celery.setting_options().items()
        if name not in raw.OWNED and name != "broker_transport_options"
    }
    loaded = project.load(overrides={"celery": reachable}).celery
    assert set(loaded) == set(reachable)


def test_values_that_celery_takes_in_more_forms_are_let_through(project):
    project.default('[celery]\nworker_concurrency = "auto"\ntask_queues = [{ name = "a" }]\n')
    assert project.load().celery["worker_concurrency"] == "auto"
