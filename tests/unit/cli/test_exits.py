"""Which error ends with which code."""

import pytest

from umbel import errors
from umbel.cli.exits import MEANINGS, Exit, exit_of


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigurationError, 3),
        (errors.UnknownKeyError, 3),
        (errors.UnsupportedError, 3),
        (errors.StorageError, 4),
        (errors.StorageLockedError, 4),
        (errors.QueueNotFoundError, 5),
        (errors.NotFoundError, 5),
        (errors.NotWaitingError, 1),
        (errors.PermanentError, 1),
        (RuntimeError, 1),
    ],
)
def test_an_error_ends_with_the_code_of_its_kind(kind, code):
    assert exit_of(kind("x")) == code


def test_every_exit_code_is_explained():
    assert set(MEANINGS) == set(Exit)
