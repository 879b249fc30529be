"""Celery's private names are touched in one module, and each is looked at when it starts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from umbel import _celery
from umbel.errors import UnsupportedError

PACKAGE = Path(_celery.__file__).resolve().parent
ENGINE = ("celery", "kombu", "billiard", "vine", "amqp")
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "_celery.py"]


def private_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ENGINE:
            for part in [*str(node.module).split("."), *(alias.name for alias in node.names)]:
                if part.startswith("_") and not part.startswith("__"):
                    yield f"line {node.lineno}: {node.module}: {part}"


def private_attributes_of_engine_names(tree: ast.Module) -> Iterator[str]:
    bound = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            bound |= {
                (alias.asname or alias.name.split(".")[0]) for alias in node.names if alias.name.split(".")[0] in ENGINE
            }
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ENGINE:
            bound |= {alias.asname or alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in bound:
                yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_module_touches_a_private_name(path: Path) -> None:
    tree = ast.parse(path.read_text())
    found = [*private_imports(tree), *private_attributes_of_engine_names(tree)]
    assert not found, f"{path.relative_to(PACKAGE)}: move to umbel/_celery.py: {found}"


def test_the_installed_celery_has_every_seam() -> None:
    _celery.verify()


@pytest.mark.parametrize("seam", _celery.SEAMS, ids=lambda seam: seam.path)
def test_a_seam_that_has_gone_is_refused_by_name(seam: _celery.Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = _celery.Seam(seam.path + "_gone", seam.parameters)
    monkeypatch.setattr(_celery, "SEAMS", (gone,))
    with pytest.raises(UnsupportedError) as caught:
        _celery.verify()
    assert gone.path in caught.value.message
    assert "it is missing" in caught.value.message
    assert "install another" in caught.value.hint


def test_a_seam_with_other_parameters_is_refused_with_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seam = _celery.Seam("celery.app.base:Celery._task_from_fun", ("self", "function"))
    monkeypatch.setattr(_celery, "SEAMS", (seam,))
    with pytest.raises(UnsupportedError, match="its parameters are self, fun, name"):
        _celery.verify()


def test_a_seam_that_no_longer_sets_an_attribute_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    seam = _celery.Seam("celery.app.base:Celery.__init__", sets=("_tasks", "_gone"))
    monkeypatch.setattr(_celery, "SEAMS", (seam,))
    with pytest.raises(UnsupportedError, match="it does not set _gone"):
        _celery.verify()


@pytest.mark.parametrize("found", ["5.6.9", "5.8.0", "6.0.0rc1"])
def test_another_release_series_is_refused_with_the_remedy(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_celery, "version", lambda _package: found)
    with pytest.raises(UnsupportedError) as caught:
        _celery.verify()
    assert caught.value.message == f"celery: expected a 5.7.x release, found {found}"
    assert 'pip install "celery~=5.7.0"' in caught.value.hint
