"""Statements in named files."""

from __future__ import annotations

from importlib.resources import files

import pytest

from umbel.database import Queries

PACKAGE = "umbel.transports.sqlite.sql"
FAMILIES = sorted(item.name.removesuffix(".sql") for item in files(PACKAGE).iterdir() if item.name.endswith(".sql"))


def test_a_statement_is_an_attribute_without_its_comments():
    text = Queries(PACKAGE, "claims").peek
    assert text.startswith("SELECT")
    assert "--" not in text


def test_an_unknown_statement_is_named():
    with pytest.raises(AttributeError, match=r"sql/claims\.sql has no statement named 'nonsense'"):
        _ = Queries(PACKAGE, "claims").nonsense


@pytest.mark.parametrize("family", FAMILIES)
def test_no_name_is_given_twice(family):
    text = files(PACKAGE).joinpath(f"{family}.sql").read_text()
    names = [line for line in text.splitlines() if line.startswith("-- name:")]
    assert names
    assert len(names) == len(set(names))
