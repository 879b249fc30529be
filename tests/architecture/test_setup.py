"""Setting up on a bare machine: it works, or it says exactly what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "make_venv.sh"


def make_venv(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a machine that has a shell and `id`, and no package manager."""
    tools = folder / "bin"
    tools.mkdir()
    for name in ("sh", "id"):
        (tools / name).symlink_to(str(shutil.which(name)))
    command = [str(tools / "sh"), str(SCRIPT), str(folder / "venv")]
    environment = {"PATH": str(tools), "SYSTEM_PYTHON": python}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def python_that(folder: Path, *, refuses: str) -> str:
    """Return a Python that fails at code which contains a word, as an older or smaller one does."""
    wrapper = folder / "python"
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *"{refuses}"*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


def test_it_makes_an_environment_with_pip(tmp_path: Path) -> None:
    done = make_venv(tmp_path, sys.executable)
    assert done.returncode == 0, done.stderr
    pip = [str(tmp_path / "venv" / "bin" / "python"), "-m", "pip", "--version"]
    assert subprocess.run(pip, capture_output=True, check=False).returncode == 0


def test_it_starts_over_in_the_folder_of_an_interrupted_run(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "rest").touch()
    assert make_venv(tmp_path, sys.executable).returncode == 0
    assert not (tmp_path / "venv" / "rest").exists()


@pytest.mark.parametrize("found", ["", "old"], ids=["no Python", "an old Python"])
def test_without_a_python_it_says_which_one_to_install(found: str, tmp_path: Path) -> None:
    python = python_that(tmp_path, refuses="version_info < (3, 11)") if found else ""
    done = make_venv(tmp_path, python)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: expected Python 3.11 or newer, found: {python or 'none'}\n")
    assert "hint: apt-get install python3.11 python3.11-venv" in done.stderr


def test_without_ensurepip_and_apt_get_it_names_the_missing_package(tmp_path: Path) -> None:
    done = make_venv(tmp_path, python_that(tmp_path, refuses="ensurepip"))
    series = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode == 1
    assert "its ensurepip module is missing" in done.stderr
    assert f"hint: sudo apt-get install python{series}-venv" in done.stderr
