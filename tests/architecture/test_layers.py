"""The house: its contract is kept, is exhaustive, and can be broken."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / ".importlinter"


def rooms_of_the_contract() -> set[str]:
    block = CONTRACT.read_text().split("layers =", maxsplit=1)[1]
    return set(re.findall(r"\w+", block))


def rooms_of_the_tree(source: Path) -> set[str]:
    files = {path.stem for path in source.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in source.glob("*/__init__.py")}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"}
    arguments = ["--no-cache", "--config", str(folder / ".importlinter")]
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_contract_names_exactly_the_rooms_that_exist() -> None:
    assert rooms_of_the_contract() == rooms_of_the_tree(ROOT / "src" / "umbel")


def test_imports_point_down() -> None:
    verdict = lint(ROOT)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_an_import_that_points_up_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CONTRACT, tmp_path)
    clock = tmp_path / "src" / "umbel" / "clock.py"
    clock.write_text(clock.read_text() + "\nfrom umbel import events\n")
    verdict = lint(tmp_path)
    assert verdict.returncode != 0
    assert "umbel.clock is not allowed to import umbel.events" in verdict.stdout


def test_a_room_without_a_place_in_the_house_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CONTRACT, tmp_path)
    (tmp_path / "src" / "umbel" / "attic.py").write_text('"""A room that nobody planned."""\n')
    verdict = lint(tmp_path)
    assert verdict.returncode != 0
    assert "attic" in verdict.stdout
