"""URLs of brokers and stores: their schemes, their credentials, and how they look with the secret hidden.

A :class:`Url` is a ``str``, so it goes wherever Celery wants one; its ``repr`` and its JSON hide what is
secret, so it can stand in a log or a traceback.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from umbel import _celery

__all__ = ["Url", "UrlRule", "hide", "holds_secret", "is_secret_name"]

_MASK = "***"
_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|access_key|api_?key|account_key|private_key", re.IGNORECASE
)
_PUBLIC_NAMES = {"s3_access_key_id"}
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_FILES = ("sqlite", "memory", "filesystem", "file", "disabled")


def is_secret_name(name: str) -> bool:
    """Return whether a setting or URL parameter of this name holds a secret."""
    return bool(_SECRET_NAME.search(name)) and name.lower() not in _PUBLIC_NAMES


class Url(str):
    """A URL, or several separated by ``;`` as Celery writes a failover list."""

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """The text before ``://``, in small letters."""
        match = _SCHEME.match(self)
        return match.group(1).lower() if match else ""

    @property
    def family(self) -> str:
        """The scheme without what follows a plus: ``redis`` of ``redis+socket``."""
        return self.scheme.partition("+")[0]

    @property
    def parts(self) -> tuple[SplitResult, ...]:
        """The single URLs of the list."""
        return tuple(urlsplit(part) for part in self.split(";") if part)

    @property
    def masked(self) -> str:
        """The URL with every password as ``***``."""
        return ";".join(_mask(part) for part in self.split(";"))

    @property
    def has_password(self) -> bool:
        """Whether any of the URLs holds a password, before the host or as a parameter."""
        return any(part.password or _secret_parameters(part) for part in self.parts)

    def with_credentials(self, username: str | None, password: str | None) -> Url:
        """Return the URL with these credentials in every part that has a host."""
        if username is None and password is None:
            return self
        return Url(";".join(_join(part, username, password) for part in self.parts))

    def __repr__(self) -> str:
        return f"Url({self.masked!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's signature
        """Accept text; in JSON, write it masked."""
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(strict=True, strip_whitespace=True),
            serialization=core_schema.plain_serializer_function_ser_schema(hide, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe it to editors as text."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class UrlRule:
    """Which schemes a URL may have: ``native`` ones, and those of Celery's ``family`` where it is named."""

    native: tuple[str, ...]
    family: str = ""

    def __call__(self, url: Url) -> Url:
        """Return the URL, or refuse it with the remedy. A pydantic ``AfterValidator``."""
        for part in (Url(part) for part in url.split(";")):
            self._check_scheme(part)
            _check_file(part)
            _check_port(part)
        return url

    @property
    def expectation(self) -> str:
        """How an error names what was expected."""
        also = f", or of any {self.family} of Celery's" if self.family else ""
        return f"a URL with one of the schemes {', '.join(self.native)}{also}"

    def _check_scheme(self, url: Url) -> None:
        if not url.scheme:
            raise _refusal(f'write scheme://..., such as "{_example(self.native[0])}"')
        if url.scheme in self.native:
            return
        known = {*self.native, *self._celery_schemes()}
        if url.family not in {scheme.lower() for scheme in known} - {"sqlite"}:
            near = get_close_matches(url.scheme, sorted(known), n=1)
            raise _refusal(f"did you mean {near[0]}://?" if near else f"write one of {', '.join(self.native)}")

    def _celery_schemes(self) -> frozenset[str]:
        if not self.family:
            return frozenset()
        return _celery.transport_schemes() if self.family == "transport" else _celery.result_schemes()


def hide(url: str) -> str:
    """Return the URL as it may be shown."""
    return Url(url).masked


def holds_secret(text: str) -> bool:
    """Return whether any text is a URL with a password in it."""
    return _SCHEME.match(text) is not None and ("@" in text or "=" in text) and _has_password(Url(text))


def _has_password(url: Url) -> bool:
    try:
        return url.has_password or url.masked != url
    except ValueError:
        return True  # unreadable, so it is better not shown


def _mask(text: str) -> str:
    match = _SCHEME.match(text)
    if match is None:
        return text
    scheme, rest = text[: match.end()], text[match.end() :]
    if not scheme.startswith(_FILES):
        # Greedy to the last @: a password that should have been percent-encoded is hidden whole.
        rest = re.sub(r"^([^:/?#@]*):(.*)@", rf"\1:{_MASK}@", rest)
    return scheme + re.sub(r"([?&])([^=&#]+)=([^&#]*)", _mask_parameter, rest)


def _mask_parameter(match: re.Match[str]) -> str:
    lead, name, value = match.groups()
    return f"{lead}{name}={_MASK if is_secret_name(name) else value}"


def _secret_parameters(part: SplitResult) -> list[str]:
    return [name for name, _ in parse_qsl(part.query) if is_secret_name(name)]


def _join(part: SplitResult, username: str | None, password: str | None) -> str:
    user = username if username is not None else unquote(part.username or "")
    secret = password if password is not None else unquote(part.password or "")
    credentials = quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
    host = part.netloc.rpartition("@")[2]
    return urlunsplit(part._replace(netloc=f"{credentials}@{host}"))


def _check_file(url: Url) -> None:
    if url.scheme == "sqlite" and not re.match(r"sqlite:///[^?]", url, re.IGNORECASE):
        raise _refusal('write "sqlite:///relative.db" or "sqlite:////absolute/path.db"')


def _check_port(url: Url) -> None:
    if url.family in _FILES:
        return
    try:
        _ = [part.port for part in url.parts]
    except ValueError:
        raise _refusal(
            "a port is a number up to 65535; in a password, write / as %2F, @ as %40, : as %3A and # as %23"
        ) from None


def _example(scheme: str) -> str:
    return "sqlite:///umbel.db" if scheme == "sqlite" else f"{scheme}://localhost:6379/0"


def _refusal(remedy: str) -> PydanticCustomError:
    return PydanticCustomError("url", "expected a URL: {remedy}", {"remedy": remedy})
