"""Results as JSON."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from umbel.cli.rendering.documents import as_json
from umbel.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Part:
    at: datetime | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Whole:
    parts: tuple[Part, ...]
    by_name: dict[str, Path]


def test_a_result_keeps_its_field_names_and_times_are_iso_8601_with_their_zone():
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
    whole = Whole((Part(moment, Reason.POISON), Part(None, Reason.FAILED)), {"file": Path("/x")})
    assert json.loads(as_json(whole)) == {
        "parts": [
            {"at": "2026-01-02T03:04:05.678+00:00", "reason": "poison"},
            {"at": None, "reason": "failed"},
        ],
        "by_name": {"file": "/x"},
    }


def test_text_of_any_language_stays_readable():
    assert "żółw" in as_json({"name": "żółw"})


def test_a_file_name_that_is_not_utf8_survives_the_document():
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    written = as_json({"message": name}).encode("utf-8")
    assert json.loads(written) == {"message": name}
