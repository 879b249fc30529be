from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from umbel.config import Bytes, Settings
from umbel.errors import ConfigurationError


def test_nothing_configured_is_sqlite_with_safe_defaults(project):
    loaded = project.load()
    assert loaded == Settings()
    assert loaded.broker.url == loaded.results.url == "sqlite:///umbel.db"
    assert loaded.tasks.time_limit == timedelta(seconds=300)
    assert loaded.tasks.soft_time_limit == timedelta(seconds=240)
    assert loaded.results.expires == timedelta(hours=1)
    assert loaded.broker.max_message_size == Bytes(16 * 1024**2)
    assert loaded.worker.max_tasks_per_shard == 1000
    assert loaded.redis is None
    assert loaded.in_development


LAYERS = ("default", "production", "dotenv", "environment", "argument")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.sets(st.sampled_from(LAYERS)))
def test_the_highest_layer_that_says_a_key_wins(project, saying):
    value = {name: number for number, name in enumerate(LAYERS, 1)}
    toml = {name: f"[worker]\nthreads = {value[name]}\n" if name in saying else "" for name in LAYERS}
    project.default(toml["default"])
    project.write("config/production.toml", toml["production"])
    project.write(".env", f"UMBEL__WORKER__THREADS={value['dotenv']}" if "dotenv" in saying else "")
    variables = {"UMBEL__WORKER__THREADS": str(value["environment"])} if "environment" in saying else {}
    overrides = {"worker": {"threads": value["argument"]}} if "argument" in saying else None
    loaded = project.load({"APP_ENV": "production", **variables}, overrides=overrides)
    assert loaded.worker.threads == max((value[name] for name in saying), default=4)


def test_layers_merge_table_by_table(project):
    project.default('[broker]\nlease = "20s"\npoll_interval = "1s"\n')
    project.write("config/development.toml", '[broker]\nlease = "30s"\n')
    broker = project.load({"UMBEL__BROKER__BUSY_TIMEOUT": "3s"}).broker
    assert (broker.lease, broker.poll_interval, broker.busy_timeout) == (
        timedelta(seconds=30),
        timedelta(seconds=1),
        timedelta(seconds=3),
    )


def test_the_environment_chooses_the_file(project):
    project.write("config/staging.toml", 'app.name = "staged"\n')
    assert project.load({"APP_ENV": "staging"}).app.name == "staged"
    assert project.load({"APP_ENV": "staging"}).app.environment == "staging"
    assert project.load().app.name == "umbel"


def test_app_env_may_stand_in_dotenv_and_the_environment_outranks_it(project):
    project.write(".env", "APP_ENV=staging\n")
    assert project.load().app.environment == "staging"
    assert project.load({"APP_ENV": "production"}).app.environment == "production"


def test_the_folder_may_be_named_by_a_variable_or_by_the_caller(project):
    project.write("etc/default.toml", "worker.threads = 7\n")
    project.write("other/default.toml", "worker.threads = 9\n")
    assert project.load({"UMBEL_CONFIG_DIR": "etc"}).worker.threads == 7
    assert project.load({"UMBEL_CONFIG_DIR": "etc"}, config_dir=project.root / "other").worker.threads == 9


def test_a_folder_that_is_named_must_exist(project):
    error = project.fails({"UMBEL_CONFIG_DIR": "etc"})
    assert error.message == "environment UMBEL_CONFIG_DIR: UMBEL_CONFIG_DIR: expected a folder that exists, found 'etc'"
    assert error.hint == "umbel config init --config-dir etc, or name another folder"


@pytest.mark.parametrize("name", ["../secret", "default", "a b", ".hidden"])
def test_an_environment_must_be_a_plain_name(project, name):
    error = project.fails({"APP_ENV": name})
    assert error.message == f"environment APP_ENV: APP_ENV: expected the name of an environment, found {name!r}"


def test_a_misspelt_environment_is_recognised(project):
    project.write("config/production.toml", "")
    error = project.fails({"APP_ENV": "prodution"})
    assert error.message == "environment APP_ENV: APP_ENV: expected an environment with a file, found 'prodution'"
    assert error.hint == "did you mean production? If not, add config/prodution.toml, empty if need be"
    project.write("config/prodution.toml", "")
    assert project.load({"APP_ENV": "prodution"}).app.environment == "prodution"


def test_an_environment_needs_no_file_of_its_own(project):
    project.default("worker.threads = 2\n")
    assert project.load({"APP_ENV": "production"}).worker.threads == 2


def test_an_empty_variable_counts_as_not_set(project):
    project.default("worker.threads = 2\n")
    assert project.load({"UMBEL__WORKER__THREADS": "", "APP_ENV": ""}).worker.threads == 2


def test_variables_are_read_as_the_type_of_their_key(project):
    loaded = project.load(
        {
            "UMBEL__WORKER__THREADS": "12",
            "UMBEL__WORKER__PROCESSES": "3",
            "UMBEL__WORKER__HEALTH_FILE": "/tmp/12",
            "UMBEL__TASKS__ACKS_LATE": "off",
            "UMBEL__TASKS__RETRY__JITTER": "FALSE",
            "UMBEL__TASKS__RETRY__ATTEMPTS": "9",
            "UMBEL__BROKER__PASSWORD": "12345",
            "UMBEL__BROKER__URL": "redis://localhost/1",
            "UMBEL__BROKER__USERNAME": "007",
            "UMBEL__CELERY__TASK_TRACK_STARTED": "yes",
            "UMBEL__CELERY__TASK_ROUTES": '{"shop.*": {"queue": "shop"}}',
            "UMBEL__CELERY__WORKER_POOL": "threads",
            "UMBEL__CELERY__BROKER_HEARTBEAT": "5",
        }
    )
    assert (loaded.worker.threads, loaded.worker.processes, str(loaded.worker.health_file)) == (12, 3, "/tmp/12")
    assert (loaded.tasks.acks_late, loaded.tasks.retry.jitter, loaded.tasks.retry.attempts) == (False, False, 9)
    assert loaded.broker.password.get_secret_value() == "12345"
    assert loaded.broker.username == "007"
    assert loaded.celery == {
        "task_track_started": True,
        "task_routes": {"shop.*": {"queue": "shop"}},
        "worker_pool": "threads",
        "broker_heartbeat": 5,
    }


def test_other_variables_are_the_applications_own(project):
    project.write(".env", "DATABASE_URL=x\nUMBEL_OTHER=y\nSECRET KEY\n".replace("SECRET KEY", "SECRET='a b'"))
    assert project.load({"HOME": "/root", "UMBELLA": "1"}) == Settings()


def test_dotenv_values_are_taken_as_they_stand(project):
    project.write(".env", "UMBEL__BROKER__URL=redis://h/1\nexport UMBEL__BROKER__PASSWORD='pa$$${HOME}#1'  # theirs\n")
    assert project.load().broker.password.get_secret_value() == "pa$$${HOME}#1"


def test_none_takes_back_what_a_lower_layer_has_set(project):
    project.default('[tasks]\ntime_limit = "1h"\n[worker]\nmax_tasks_per_shard = 5\n')
    loaded = project.load({"UMBEL__TASKS__TIME_LIMIT": "none"}, overrides={"worker": {"max_tasks_per_shard": "none"}})
    assert loaded.tasks.time_limit is None
    assert loaded.worker.max_tasks_per_shard is None


def test_origins_name_the_file_and_line_of_every_value(project):
    project.default('[broker]\n\nlease = "20s"\n[tasks.retry]\nattempts = 2\n')
    project.write("config/development.toml", "\nworker.threads = 5\n")
    project.write(".env", "# a comment\n\nUMBEL__APP__NAME=shop\n")
    layer = project.read({"UMBEL__LOGGING__LEVEL": "DEBUG"}, overrides={"worker": {"processes": 1}}).layer
    origins = {
        "broker.lease": "config/default.toml:3",
        "tasks.retry.attempts": "config/default.toml:5",
        "worker.threads": "config/development.toml:2",
        "app.name": ".env:3",
        "logging.level": "environment UMBEL__LOGGING__LEVEL",
        "worker.processes": "argument of the program",
        "tasks.acks_late": "built-in default",
        "broker.url": "built-in default",
    }
    assert {key: str(layer.origin_of_value(tuple(key.split(".")))) for key in origins} == origins


def test_a_program_may_give_values_of_the_real_types(project):
    loaded = project.load(
        overrides={
            "broker": {"lease": timedelta(seconds=3), "max_message_size": Bytes(5)},
            "celery": {"imports": ["a"]},
        }
    )
    assert (loaded.broker.lease, loaded.broker.max_message_size) == (timedelta(seconds=3), 5)
    assert loaded.celery["imports"] == ("a",)


def test_settings_are_frozen_to_the_ground(project):
    loaded = project.load(overrides={"celery": {"task_routes": {"a": {"queue": "b"}}}})
    with pytest.raises(ValidationError, match="frozen"):
        loaded.broker = None
    with pytest.raises(ValidationError, match="frozen"):
        loaded.broker.lease = timedelta(1)
    for change in (
        lambda table: table.update(x=1),
        lambda table: table.pop("task_routes"),
        lambda table: table["task_routes"]["a"].__setitem__("queue", "c"),
        lambda table: table.setdefault("x", 1),
        lambda table: table.__ior__({"x": 1}),
    ):
        with pytest.raises(TypeError, match="settings are frozen"):
            change(loaded.celery)


def test_settings_travel_to_another_process(project):
    loaded = project.load(
        {"UMBEL__BROKER__URL": "redis://h/1", "UMBEL__BROKER__PASSWORD": "x"}, overrides={"celery": {"imports": ["a"]}}
    )
    assert pickle.loads(pickle.dumps(loaded)) == loaded


def test_secrets_show_in_no_form_of_the_settings(project):
    loaded = project.load(
        {
            "UMBEL__BROKER__PASSWORD": "geheim",
            "UMBEL__BROKER__URL": "redis://h/1",
            "UMBEL__RESULTS__URL": "redis://:geheim@h/2",
            "UMBEL__CELERY__BROKER_READ_URL": "amqp://u:geheim@h",
            "UMBEL__CELERY__REDIS_BACKEND_USE_SSL": '{"password": "geheim"}',
        }
    )
    assert "geheim" not in repr(loaded) + str(loaded) + loaded.model_dump_json()


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        ("[broker]\nurl = sqlite\n", 2, "invalid value"),
        ("[broker]\n[broker]\n", 2, "cannot declare ('broker',) twice"),
        ("a = 1\na = 2\n", 2, "cannot overwrite a value"),
        ('a = "x', 1, "unterminated string"),
    ],
)
def test_broken_toml_names_file_and_line(project, content, line, found):
    project.default(content)
    error = project.fails()
    assert error.message == f"config/default.toml:{line}: default.toml: expected valid TOML, found {found}"
    assert error.hint == 'mend the line; text needs quotes, as in url = "sqlite:///umbel.db"'


def test_a_file_that_is_not_utf8_is_named(project):
    (project.default("").parent / "default.toml").write_bytes(b'name = "\xff"')
    assert project.fails().message == "config/default.toml: default.toml: expected text in UTF-8, found the byte 0xff"


def test_a_file_that_cannot_be_read_is_named(project):
    (project.root / "config" / "default.toml").mkdir(parents=True)
    assert project.fails().message == (
        "config/default.toml: default.toml: expected a file that can be read, found is a directory"
    )


def test_a_broken_line_of_dotenv_is_named_but_not_shown(project):
    project.write(".env", "APP_ENV=development\n\nUMBEL__BROKER__PASSWORD='geheim\n")
    error = project.fails()
    assert error.message == ".env:3: .env: expected NAME=value, found a line that is not one"
    assert "geheim" not in str(error.contract())


@pytest.mark.parametrize("name", ["UMBEL__", "UMBEL__BROKER__", "UMBEL____URL"])
def test_a_variable_that_names_no_path_is_refused(project, name):
    error = project.fails({name: "x"})
    assert error.message.startswith(f"environment {name}: {name}: expected a name such as UMBEL__BROKER__URL, found ")


def test_windows_line_ends_do_not_move_the_lines(project):
    (project.default("").parent / "default.toml").write_bytes(b'[broker]\r\nlease = "5s"\r\nleese = 1\r\n')
    assert project.fails().message.startswith("config/default.toml:3: broker.leese: ")


def test_all_problems_of_all_sources_are_in_one_error(project):
    project.default('[broker]\nleese = "5s"\nurl = "redis://:geheim@h/1"\n')
    project.write("config/development.toml", "worker = 5\n")
    project.write(".env", "UMBEL__TASKS__TIME_LIMIT=300\n")
    error = project.fails({"UMBEL__LOGGING__LEVEL": "info"}, overrides={"celery": {"task_time_limit": 5}})
    assert type(error) is ConfigurationError
    found = {problem["key"]: problem["error_code"] for problem in error.details["problems"]}
    assert found == {
        "broker.leese": "CONFIGURATION_UNKNOWN_KEY",
        "broker.url": "CONFIGURATION_SECRET_IN_FILE",
        "worker": "CONFIGURATION_INVALID",
        "tasks.time_limit": "CONFIGURATION_INVALID",
        "logging.level": "CONFIGURATION_INVALID",
        "celery.task_time_limit": "CONFIGURATION_CONFLICT",
    }
    assert error.message.startswith("6 problems:\n1. ")
    assert "geheim" not in str(error.contract())


def test_several_problems_of_one_kind_are_an_error_of_that_kind(project):
    project.default("[broker]\nleese = 1\nurrl = 2\n")
    assert project.fails().error_code == "CONFIGURATION_UNKNOWN_KEY"
