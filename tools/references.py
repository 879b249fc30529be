"""Write the references that are generated from the code; ``--check`` only says whether they are current.

Usage: ``make references``. Each page names its source, and nobody edits it by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

from cli_reference import cli_page
from umbel import errors, events
from umbel.config.reference import page as configuration_page
from umbel.errors import UmbelError
from umbel.events import Event

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def errors_page() -> str:
    """Return the page of all errors: the tree, then one row for each."""
    return "\n".join(
        [
            "# Errors",
            "",
            "<!-- Generated from src/umbel/errors.py by `make references`. -->",
            "",
            "Every failure that Umbel raises is an `umbel.UmbelError`. Its `error_code` is stable across releases,",
            "`retryable` says whether the same call can succeed later without a change, `details` holds JSON-ready",
            "facts and `hint` is the remedy. The same five fields (with `message`) stand in a task's result, in its",
            "dead letter and in the output of `umbel --json`.",
            "",
            "```text",
            _tree(),
            "```",
            "",
            "| code | class | retryable | meaning | remedy |",
            "|---|---|---|---|---|",
            *(_error_row(kind) for kind in _walk(UmbelError)),
            "",
        ]
    )


def events_page() -> str:
    """Return the page of all events: one row for each, with its fields."""
    return "\n".join(
        [
            "# Events",
            "",
            "<!-- Generated from src/umbel/events.py by `make references`. -->",
            "",
            "Umbel emits typed, frozen events where other programs log. Subscribe to one type, or to",
            "`umbel.events.Event` for all of them; a subscriber runs at once, in the emitting thread, and must be",
            "quick. `subscribe` returns the function that ends the subscription.",
            "",
            "```python",
            "from umbel import events",
            "",
            "unsubscribe = events.subscribe(events.DeadLettered, lambda event: print(event.task, event.error_code))",
            "unsubscribe()",
            "```",
            "",
            "| event | class | fields | when |",
            "|---|---|---|---|",
            *(_event_row(kind) for kind in events.catalogue() if kind.__module__ == events.__name__),
            "",
        ]
    )


def _tree() -> str:
    lines = str(errors.__doc__).splitlines()
    drawn = [line.removeprefix("    ") for line in lines if line.startswith("    ")]
    return "\n".join(drawn)


def _walk(kind: type[UmbelError]) -> Iterator[type[UmbelError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _walk(child)


def _error_row(kind: type[UmbelError]) -> str:
    retryable = "yes" if kind.retryable else "no"
    cells = [f"`{kind.error_code}`", f"`{kind.__name__}`", retryable, _summary(kind), kind.default_hint]
    return _row(cells)


def _event_row(kind: type[Event]) -> str:
    described = ", ".join(f"`{item.name}`: {item.type}" for item in fields(kind))
    return _row([f"`{kind.name}`", f"`{kind.__name__}`", described, _summary(kind)])


def _summary(kind: type) -> str:
    return str(kind.__doc__).split("\n\n", maxsplit=1)[0].replace("\n", " ").replace("``", "`").strip()


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "cli.md": cli_page,
    REFERENCE / "configuration.md": configuration_page,
    REFERENCE / "errors.md": errors_page,
    REFERENCE / "events.md": events_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` name those that are not current; return the exit code."""
    stale = [page for page, write in PAGES.items() if not page.exists() or page.read_text() != write()]
    if "--check" in arguments:
        for page in stale:
            print(f"error: {page.relative_to(ROOT)} is not current; run: make references", file=sys.stderr)
        return 1 if stale else 0
    for page in stale:
        page.write_text(PAGES[page]())
        print(f"wrote {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
