"""Which kinds of value an annotation allows: ``Duration | None`` is a ``timedelta``, and optional."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

__all__ = ["alternatives", "is_optional", "markers"]


def alternatives(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type form
    """Return the types of a union without ``Annotated`` and without None."""
    return tuple(kind for kind in _flat(annotation) if kind is not NoneType)


def is_optional(annotation: Any) -> bool:  # noqa: ANN401 - any type form
    """Return whether None is allowed."""
    return NoneType in _flat(annotation)


def markers(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type form
    """Return what ``Annotated`` says, at any depth of the union."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        said = [item for part in metadata for item in (part.metadata if isinstance(part, FieldInfo) else [part])]
        return (*said, *markers(inner))
    if get_origin(annotation) in (Union, UnionType):
        return tuple(marker for part in get_args(annotation) for marker in markers(part))
    return ()


def _flat(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type form
    if get_origin(annotation) is Annotated:
        return _flat(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(kind for part in get_args(annotation) for kind in _flat(part))
    return (annotation,)
