"""The project around the code: its lock file, its commands, and the wheel that it builds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}.*\n)+)",
    re.MULTILINE,
)


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]]


def pins() -> dict[str, str]:
    return {canonicalize_name(match["name"]): match["version"] for match in PIN.finditer(LOCK)}


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_lock_has_a_release_that_satisfies_every_dependency(requirement: Requirement) -> None:
    version = pins().get(canonicalize_name(requirement.name))
    assert version, f"{requirement.name} is not in requirements.lock; run: make lock"
    assert requirement.specifier.contains(version, prereleases=True)


def test_every_line_of_the_lock_is_a_pin_with_hashes() -> None:
    rest = PIN.sub("", LOCK)
    assert [line for line in rest.splitlines() if line and not line.startswith("#")] == []


def test_the_lock_names_no_index_no_host_and_no_path() -> None:
    assert not re.search(r"://|index-url|find-links|(^|\s)[./]*/\w+/", LOCK)


def test_a_plain_install_stays_small() -> None:
    assert len(PROJECT["dependencies"]) <= 8


def test_ci_runs_the_check_and_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text()
    command = re.search(r"^\$ (make test)\b", readme, re.MULTILINE)
    assert command, "the README names its test command"
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines.index("make check") < lines.index(command[1])


@pytest.mark.parametrize("target", ["setup", "run", "test", "check", "bench", "soak", "lock"])
def test_the_makefile_has_and_explains(target: str) -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(rf"^  make {target} +\w", listed.stdout, re.MULTILINE), listed.stdout


@pytest.mark.parametrize("group", ["console_scripts", "celery.result_backends", "celery.commands"])
def test_every_entry_point_leads_to_something(group: str) -> None:
    ours = [point for point in entry_points(group=group) if point.dist and point.dist.name == "umbel"]
    assert ours
    for point in ours:
        assert callable(point.load())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("umbel-*.whl")
    return found


class TestTheWheel:
    def test_holds_every_file_of_the_package_and_nothing_of_the_tests(self, wheel: Path) -> None:
        held = set(zipfile.ZipFile(wheel).namelist())
        source = ROOT / "src"
        expected = {
            str(path.relative_to(source))
            for path in (source / "umbel").rglob("*")
            if path.is_file() and path.suffix != ".pyc" and ".db" not in path.name
        }
        assert {"umbel/__init__.py", "umbel/py.typed"} <= held
        assert expected <= held, sorted(expected - held)
        assert all(name.startswith(("umbel/", "umbel-")) for name in held)

    def test_imports_from_the_wheel_alone(self, wheel: Path, tmp_path: Path) -> None:
        code = "import umbel, umbel.cli; print(umbel.__file__, umbel.Umbel.__name__)"
        environment = {"PYTHONPATH": str(wheel), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert str(wheel) in done.stdout
        assert "Umbel" in done.stdout

    def test_carries_the_licence_and_the_version(self, wheel: Path) -> None:
        archive = zipfile.ZipFile(wheel)
        (metadata,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        text = archive.read(metadata).decode()
        assert "License-Expression: BSD-3-Clause" in text
        assert [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
