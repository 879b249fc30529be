"""How every module of the package reads."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "umbel"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 500
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return list(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return None


@pytest.mark.parametrize("path", MODULES, ids=name_of)
class TestEveryModule:
    def test_begins_with_a_docstring(self, path: Path) -> None:
        assert ast.get_docstring(ast.parse(path.read_text())), f"{name_of(path)} does not say its duty"

    def test_is_no_longer_than_the_house_allows(self, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= LONGEST

    def test_is_named_for_what_it_is(self, path: Path) -> None:
        assert not FORBIDDEN_NAMES & {path.stem, *path.relative_to(PACKAGE).parent.parts}

    def test_exports_once_what_it_has_and_documents(self, path: Path) -> None:
        tree = ast.parse(path.read_text())
        names = exported(tree)
        if names is None:
            public = [
                node.name
                for node in tree.body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_"
            ]
            assert not public or path.stem == "__main__", f"{name_of(path)} has no __all__, but it defines {public}"
            return
        assert len(names) == len(set(names))
        module = importlib.import_module(
            ".".join(["umbel", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        )
        for name in names:
            assert hasattr(module, name), f"{name_of(path)} exports {name}, which it does not have"
        defined = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        for name in set(names) & set(defined):
            assert ast.get_docstring(defined[name]), f"{name_of(path)}: {name} has no docstring"


def test_importing_umbel_alone_imports_no_celery_and_no_pydantic() -> None:
    code = "import sys, umbel; print([name for name in ('celery', 'kombu', 'pydantic', 'rich') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_public_namespace_is_sorted_complete_and_importable() -> None:
    import umbel

    assert umbel.__all__ == sorted(umbel.__all__)
    assert dir(umbel) == umbel.__all__
    for name in umbel.__all__:
        assert getattr(umbel, name) is not None


def test_a_name_that_umbel_does_not_have_is_an_attribute_error_that_names_it() -> None:
    import umbel

    with pytest.raises(AttributeError, match="module 'umbel' has no attribute 'Nonsense'"):
        umbel.Nonsense  # noqa: B018 - the access is the claim


def test_the_version_is_the_installed_packages() -> None:
    from importlib.metadata import version

    import umbel

    assert umbel.__version__ == version("umbel")


def test_every_lint_exception_in_the_code_says_why() -> None:
    silent = re.compile(r"#\s*(noqa|type:\s*ignore)(?!.*(\s-\s|\]\s*#))")
    offenders = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"#\s*noqa", line) and silent.search(line)
    ]
    assert not offenders, "\n".join(offenders)
