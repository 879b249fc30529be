"""The error contract in a result's metadata, so that an error of ours arrives as what it was.

Celery stores an exception as its type and its arguments. Of an :class:`~umbel.errors.UmbelError` that
would lose the code, the details and the hint; they travel beside, and are put back on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from umbel.errors import UmbelError

__all__ = ["described", "restored"]

_KEY = "umbel"


def described(stored: dict[str, Any], error: BaseException, *, encode: Callable[[Any], object]) -> dict[str, Any]:
    """Return Celery's form of the exception, with the error contract in it if the error is ours."""
    if not isinstance(error, UmbelError):
        return stored
    contract = error.contract()
    contract["details"] = {key: _encodable(value, encode) for key, value in error.details.items()}
    return {**stored, _KEY: contract}


def restored(error: BaseException | None, stored: Any) -> BaseException | None:  # noqa: ANN401 - what was decoded
    """Return the exception with its error contract, if one was stored."""
    contract = stored.get(_KEY) if isinstance(stored, Mapping) else None
    if not isinstance(error, UmbelError) or not isinstance(contract, Mapping):
        return error
    error.message = str(contract.get("message", error.message))
    error.hint = str(contract.get("hint", error.hint))
    error.error_code = str(contract.get("error_code", error.error_code))
    error.details = dict(contract.get("details") or {})
    return error


def _encodable(value: Any, encode: Callable[[Any], object]) -> Any:  # noqa: ANN401 - a detail of any kind
    try:
        encode(value)
    except Exception:  # noqa: BLE001 - serializers raise what they like; a detail must not hide the error
        return repr(value)
    return value
