"""``umbel config``: what it prints, and how it ends."""

from __future__ import annotations

import json
import tomllib

import pytest

from umbel.cli.program import run


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def write(root, text):
    (root / "config").mkdir(exist_ok=True)
    (root / "config" / "default.toml").write_text(text)


def test_what_is_shown_is_toml_that_says_the_same(root, capsys):
    write(root, '[broker]\nlease = "20s"\n[celery]\ntask_routes = { "a.*" = { queue = "b" } }\n')
    assert run(["config", "show", "--said"]) == 0
    assert tomllib.loads(capsys.readouterr().out) == {
        "broker": {"lease": "20s"},
        "celery": {"task_routes": {"a.*": {"queue": "b"}}},
    }
    assert run(["config", "show"]) == 0
    write(root, capsys.readouterr().out.replace('password = "none"', ""))
    assert run(["config", "check"]) == 0


def test_the_origin_stands_beside_each_value(root, capsys, monkeypatch):
    write(root, '[broker]\nlease = "20s"\n')
    monkeypatch.setenv("UMBEL__WORKER__THREADS", "8")
    assert run(["config", "show", "--origin", "broker.lease", "worker.threads", "app.name"]) == 0
    assert capsys.readouterr().out == (
        "[app]\n"
        'name = "umbel"  # built-in default\n'
        "\n"
        "[broker]\n"
        'lease = "20s"   # config/default.toml:2\n'
        "\n"
        "[worker]\n"
        "threads = 8     # environment UMBEL__WORKER__THREADS\n"
    )


def test_machines_get_json(root, capsys):
    write(root, '[broker]\nlease = "20s"\n')
    assert run(["config", "show", "broker.lease", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "settings": [{"key": "broker.lease", "value": '"20s"', "origin": "config/default.toml:2", "kind": "file"}]
    }
    assert run(["config", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["said"] == 1


def test_nothing_said_reads_well(capsys):
    assert run(["config", "show", "--said"]) == 0
    assert capsys.readouterr().err == "Nothing is said anywhere: all settings are the built-in defaults.\n"
    assert run(["config", "check"]) == 0
    assert capsys.readouterr().out.endswith(
        "The configuration for development is valid; it says nothing, so every setting is the built-in default.\n"
    )


def test_one_problem_is_one_line_and_a_hint(root, capsys):
    write(root, "[worker]\nthreds = 8\n")
    assert run(["config", "check"]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        "error: CONFIGURATION_UNKNOWN_KEY: config/default.toml:2: worker.threds: expected a key that Umbel knows, "
        "found the unknown key 'threds'\n"
        "hint: did you mean worker.threads?\n"
    )


def test_several_problems_stand_below_each_other(root, capsys):
    write(root, "[worker]\nthreds = 8\nprocesses = 0\n")
    assert run(["config", "check"]) == 3
    shown = capsys.readouterr()
    assert shown.out == (
        'config/default.toml:3: worker.processes: expected an integer >= 1 or "auto", found the integer 0\n'
        '    change it, or remove it for the default "auto"\n'
        "config/default.toml:2: worker.threds: expected a key that Umbel knows, found the unknown key 'threds'\n"
        "    did you mean worker.threads?\n"
    )
    assert shown.err == "error: CONFIGURATION_INVALID: 2 problems\nhint: mend the lines above\n"


def test_machines_get_every_problem(root, capsys):
    write(root, "[worker]\nthreds = 8\nprocesses = 0\n")
    assert run(["config", "check", "--json"]) == 3
    problems = json.loads(capsys.readouterr().err)["details"]["problems"]
    assert [problem["key"] for problem in problems] == ["worker.processes", "worker.threds"]


def test_an_unknown_key_to_show_is_not_found(capsys):
    assert run(["config", "show", "brokr"]) == 5
    assert capsys.readouterr().err.endswith("hint: did you mean broker?\n")


def test_a_warning_goes_to_stderr_and_is_no_failure(root, capsys):
    (root / ".env").write_text("UMBEL__BROKER__URL=redis://:x@h/1\n")
    (root / ".env").chmod(0o644)
    assert run(["config", "check"]) == 0
    assert capsys.readouterr().err.startswith("warning: .env holds a secret and others may read it")


def test_init_says_what_it_wrote_and_what_it_kept(root, capsys):
    write(root, "")
    assert run(["config", "init"]) == 0
    assert capsys.readouterr().out == (
        "kept   config/default.toml\nwrote  config/development.toml\nwrote  .env.example\n"
    )
    assert run(["config", "init", "--config-dir", "etc"]) == 0
    assert (root / "etc" / "default.toml").is_file()
    assert run(["config", "check", "--config-dir", "etc"]) == 0


def test_the_schema_is_json_for_editors(capsys):
    assert run(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["broker"]["properties"]["lease"]["default"] == "15s"
