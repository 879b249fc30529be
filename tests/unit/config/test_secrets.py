from __future__ import annotations

import pytest

from umbel.config.keys import keys, variable
from umbel.errors import SecretInFileError

SECRETS = [key for key in keys().values() if key.secret]


@pytest.mark.parametrize("key", SECRETS, ids=lambda key: key.name)
def test_a_secret_in_a_toml_file_is_refused_and_not_shown(project, key):
    section = key.path[0]
    project.default(f'[{section}]\nurl = "redis://h/0"\n{key.path[-1]} = "geheim"\n')
    error = project.fails()
    [problem] = [item for item in error.details["problems"] if item["key"] == key.name]
    assert problem["error_code"] == SecretInFileError.error_code
    assert problem["message"] == (
        f"config/default.toml:3: {key.name}: expected no secret in a TOML file, found a secret (not shown)"
    )
    assert problem["remedy"] == f"move it to .env or the environment, as {variable(key.path)}"
    assert "geheim" not in str(error.contract())


@pytest.mark.parametrize(
    ("toml", "key", "remedy"),
    [
        (
            '[broker]\nurl = "redis://:geheim@h/1"',
            "broker.url",
            "take the password out of the URL and set UMBEL__BROKER__PASSWORD in .env or the environment",
        ),
        (
            '[results]\nurl = "rediss://h/1?password=geheim"',
            "results.url",
            "take the password out of the URL and set UMBEL__RESULTS__PASSWORD in .env or the environment",
        ),
        (
            '[celery]\nbroker_read_url = "amqp://a:geheim@h//"',
            "celery.broker_read_url",
            "move the URL to .env or the environment, as UMBEL__CELERY__BROKER_READ_URL",
        ),
        (
            '[celery]\ns3_secret_access_key = "geheim"',
            "celery.s3_secret_access_key",
            "move it to .env or the environment, as UMBEL__CELERY__S3_SECRET_ACCESS_KEY",
        ),
        (
            '[celery.broker_transport_options]\nsentinel_kwargs = { password = "geheim" }',
            "celery.broker_transport_options.sentinel_kwargs.password",
            "move it to .env or the environment, as UMBEL__CELERY__BROKER_TRANSPORT_OPTIONS__SENTINEL_KWARGS__PASSWORD",
        ),
        (
            '[celery]\nimports = ["redis://:geheim@h"]',
            "celery.imports",
            "move the URL to .env or the environment, as UMBEL__CELERY__IMPORTS",
        ),
    ],
)
def test_a_secret_is_found_wherever_it_hides(project, toml, key, remedy):
    project.default(toml)
    error = project.fails()
    assert isinstance(error, SecretInFileError)
    assert f"config/default.toml:2: {key}: expected no secret in a TOML file" in error.message
    assert error.hint == remedy
    assert "geheim" not in str(error.contract())


def test_a_secret_that_a_higher_layer_replaces_is_still_in_the_file(project):
    project.default('[broker]\nurl = "redis://:geheim@h/1"')
    assert isinstance(project.fails({"UMBEL__BROKER__URL": "memory://"}), SecretInFileError)


def test_secrets_may_stand_in_dotenv_and_in_the_environment(project):
    project.write(".env", "UMBEL__BROKER__URL=redis://:eins@h/1\n")
    loaded = project.load({"UMBEL__RESULTS__URL": "redis://h/2", "UMBEL__RESULTS__PASSWORD": "zwei"})
    assert loaded.broker.url == "redis://:eins@h/1"
    assert loaded.results.password.get_secret_value() == "zwei"


def test_a_wrong_secret_is_not_shown(project):
    error = project.fails(overrides={"broker": {"password": 12345}})
    assert error.message.endswith("broker.password: expected text, found a value that is not shown")
