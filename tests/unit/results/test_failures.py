from __future__ import annotations

import json

from umbel.errors import PermanentError, StorageLockedError
from umbel.results.failures import described, restored


def test_an_error_of_ours_keeps_its_contract():
    error = PermanentError("card refused", hint="ask for another", error_code="CARD_REFUSED", card=4242)
    stored = json.loads(json.dumps(described({"exc_type": "PermanentError"}, error, encode=json.dumps)))
    back = restored(PermanentError("card refused"), stored)

    assert back.contract() == error.contract()
    assert str(back) == str(error)


def test_details_that_cannot_be_encoded_are_written_as_their_repr():
    error = StorageLockedError("locked", owner={1, 2})
    stored = described({}, error, encode=json.dumps)

    assert stored["umbel"]["details"] == {"owner": "{1, 2}"}


def test_errors_of_others_are_left_as_celery_has_them():
    stored = {"exc_type": "ValueError", "exc_message": ["no"]}
    error = ValueError("no")

    assert described(stored, error, encode=json.dumps) is stored
    assert restored(error, stored) is error
    assert restored(None, stored) is None
