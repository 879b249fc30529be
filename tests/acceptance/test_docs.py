"""Every code block of the README and the docs is extracted and run, page by page, in an empty folder.

What a block may be, by its language and the comment on the line before it:

- ``python``: run in sequence; the blocks of a page share their names.
- ``bash``: run with ``bash -euo pipefail``.
- ``console``: the lines after ``$`` are run, and what they print must match the lines shown
  (``…`` stands for anything).
- ``<!-- file: config/default.toml -->``: the block, of any language, is written to that file.
- ``<!-- background -->``: the commands run until the page ends, and are then ended with SIGTERM.
- ``<!-- not run: why -->``: shown only; the reason is required.
- ``toml`` and ``json`` that go to no file must at least be valid; ``text`` and ``mermaid`` are prose.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    {ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src" / "umbel").rglob("*.md")},
)
LANGUAGES = {"bash", "console", "ini", "json", "mermaid", "python", "sql", "text", "toml"}
PROSE = {"ini", "mermaid", "sql", "text"}
BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?(?P<indent>[ ]*)```(?P<language>\S*)[^\n]*\n(?P<body>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
NOTE = re.compile(r"file: (?P<file>\S+)|background|not run: (?P<reason>.{10,})|Generated .*")
PAGE_TIME = 90
"""Seconds that all blocks of one page may take together."""


@dataclass(frozen=True)
class Block:
    language: str
    body: str
    line: int
    note: str

    @property
    def file(self) -> str:
        return self.note.removeprefix("file: ") if self.note.startswith("file: ") else ""

    @property
    def runs(self) -> bool:
        return not self.note.startswith("not run: ")


def blocks_of(text: str) -> list[Block]:
    return [
        Block(
            language=match["language"],
            body=textwrap.dedent(match["body"]),
            line=text.count("\n", 0, match.start("body")) + 1,
            note=match["note"] or "",
        )
        for match in BLOCK.finditer(text)
    ]


def script_of(page: str, blocks: list[Block]) -> str:
    """Return one Python program that does what the page says, in its order."""
    steps = [textwrap.dedent(DRIVER)]
    for block in blocks:
        where = f"{page}:{block.line}"
        if not block.runs:
            continue
        if block.file:
            steps.append(f"write({block.file!r}, {block.body!r})")
        elif block.language == "python":
            steps.append(f"python({page!r}, {block.line}, {block.body!r})")
        elif block.note == "background":
            steps.append(f"background({commands_of(block)!r})")
        elif block.language == "bash":
            steps.append(f"shell({where!r}, {block.body!r}, None)")
        elif block.language == "console":
            steps += [f"shell({where!r}, {command!r}, {shown!r})" for command, shown in dialogue_of(block)]
    return "\n".join([*steps, "finish()"])


def dialogue_of(block: Block) -> list[tuple[str, str]]:
    """Split a console block into (command, what it shows); a trailing backslash continues a command."""
    turns: list[tuple[str, str]] = []
    continued = False
    for line in block.body.splitlines():
        if line.startswith("$ ") or continued:
            command = line.removeprefix("$ ")
            if continued:
                turns[-1] = (f"{turns[-1][0]}\n{command}", "")
            else:
                turns.append((command, ""))
            continued = line.endswith("\\")
        elif turns:
            turns[-1] = (turns[-1][0], f"{turns[-1][1]}{line}\n")
    return turns


def commands_of(block: Block) -> str:
    return "\n".join(command for command, _ in dialogue_of(block)) if block.language == "console" else block.body


DRIVER = """
    import atexit, os, re, signal, subprocess, sys
    from pathlib import Path

    names = {"__name__": "page"}
    running = []
    sys.path.insert(0, os.getcwd())


    def write(name, body):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)


    def python(page, line, body):
        exec(compile("\\n" * (line - 1) + body, page, "exec"), names)


    def shell(where, command, shown):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True)
        said = done.stdout + done.stderr
        if done.returncode != 0 and not expects_failure(shown):
            sys.exit(f"{where}: {command!r} ended with {done.returncode}:\\n{said}")
        if shown and not matches(shown, said):
            sys.exit(f"{where}: {command!r} was to show:\\n{shown}\\nbut showed:\\n{said}")


    def expects_failure(shown):
        return bool(shown) and shown.startswith("error: ")


    def matches(shown, said):
        parts = [re.escape(" ".join(part.split())) for part in shown.split("…")]
        return re.fullmatch(r"\\s*" + ".*".join(parts) + r"\\s*", " ".join(said.split()), re.DOTALL) is not None


    def background(command):
        running.append(subprocess.Popen(["bash", "-c", "exec " + command.strip()], start_new_session=True))


    def finish():
        for process in running:
            if process.poll() is not None:
                sys.exit(f"{process.args[-1]!r} ended too early, with {process.returncode}")
            process.terminate()
        for process in running:
            process.wait(30)
"""


def run(page: str, blocks: list[Block], folder: Path) -> tuple[int, str]:
    """Run the page's program in its own session, and leave no process of it behind."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UMBEL", "CELERY"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment |= {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    log = folder.parent / f"{folder.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", script_of(page, blocks)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(PAGE_TIME)
        finally:
            end_session_of(process.pid)
            process.wait()
    return code, log.read_text()


def end_session_of(leader: int) -> None:
    """End the program and everything that it started in the background, in their sessions."""
    import psutil

    try:
        family = [*psutil.Process(leader).children(recursive=True), psutil.Process(leader)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            os.kill(member.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestEveryPage:
    def test_its_blocks_say_what_they_are(self, page: Path) -> None:
        for block in blocks_of(page.read_text()):
            where = f"{page.name}:{block.line}"
            assert block.language in LANGUAGES, (
                f"{where}: expected one of {sorted(LANGUAGES)}, found {block.language!r}"
            )
            assert not block.note or NOTE.fullmatch(block.note), f"{where}: a note without meaning: {block.note}"
            if block.language == "toml":
                tomllib.loads(block.body)
            if block.language == "json":
                json.loads(block.body)

    def test_its_blocks_run(self, page: Path, tmp_path: Path) -> None:
        blocks = [block for block in blocks_of(page.read_text()) if block.language not in PROSE or block.file]
        if not any(block.runs for block in blocks):
            return
        folder = tmp_path / "page"
        folder.mkdir()
        code, said = run(str(page.relative_to(ROOT)), blocks, folder)
        assert code == 0, said

    def test_its_links_lead_somewhere(self, page: Path) -> None:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target} does not exist"


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)\)", index.read_text())}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page != index}
    assert pages <= linked, sorted(str(page.relative_to(ROOT)) for page in pages - linked)


def test_few_blocks_are_only_shown() -> None:
    every = [block for page in PAGES for block in blocks_of(page.read_text()) if block.language not in PROSE]
    shown = [block for block in every if not block.runs]
    assert len(shown) <= max(3, len(every) // 5), [f"{block.line}: {block.note}" for block in shown]


class TestTheRunnerItself:
    """A runner that cannot fail would prove nothing."""

    @pytest.mark.parametrize(
        ("page", "complaint"),
        [
            ("```python\nraise ValueError('broken')\n```\n", 'File "page.md", line 2'),
            ("```bash\nfalse\n```\n", "page.md:2: 'false\\n' ended with 1"),
            ("```console\n$ echo one\ntwo\n```\n", "was to show"),
            ("<!-- background -->\n```bash\ntrue\n```\n```bash\nsleep 0.5\n```\n", "ended too early"),
        ],
        ids=["python", "bash", "console", "background"],
    )
    def test_a_broken_block_fails_and_is_named(self, page: str, complaint: str, tmp_path: Path) -> None:
        folder = tmp_path / "page"
        folder.mkdir()
        code, said = run("page.md", blocks_of(page), folder)
        assert code != 0
        assert complaint in said

    def test_blocks_share_names_files_and_output_patterns(self, tmp_path: Path) -> None:
        page = (
            "<!-- file: pkg/one.py -->\n```python\nONE = 1\n```\n"
            "```python\nfrom pkg.one import ONE\n```\n```python\nassert ONE == 1\n```\n"
            "```console\n$ echo a b; \\\n  echo c\na … c\n$ cat pkg/one.py\nONE = 1\n```\n"
            "<!-- not run: it would take the machine down -->\n```bash\nfalse\n```\n"
        )
        folder = tmp_path / "page"
        folder.mkdir()
        code, said = run("page.md", blocks_of(page), folder)
        assert (code, said) == (0, "")
