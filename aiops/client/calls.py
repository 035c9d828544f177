"""A request as a value: made once from its arguments, sent by either flavour of the client.

One function an operation (``aiops/client/operations``) makes a :class:`Call`; the two flavours bind it as a method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Generic, TypeVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel

T_co = TypeVar("T_co", covariant=True)


class Kind(Enum):
    """How the bodies of a call and of its answer are read."""

    JSON = "json"
    TEXT = "text"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """A request, and how its answer is read.

    ``path`` is the template of the contract; ``places`` fill it. ``reads``: for each status of success the document's
    class, or None where there is no body. ``keyed``: the server takes an ``Idempotency-Key``; the client makes one.
    ``accept``: what the answer shall be; text is handed over as it is.
    """

    method: str
    path: str
    reads: Mapping[int, type[BaseModel] | None]
    places: Mapping[str, object] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: object = None
    content_type: str = "application/json"
    keyed: bool = False
    accept: str = "application/json"

    @property
    def url(self) -> str:
        """Path with its places filled, each part percent-encoded (RFC 3986, section 3.3)."""
        filled = self.path
        for name, value in self.places.items():
            filled = filled.replace("{" + name + "}", quote(str(value), safe=":@,"))
        return filled

    def parameters(self) -> list[tuple[str, str]]:
        """The query, without what is None; a sequence is repeated."""
        pairs: list[tuple[str, str]] = []
        for name, value in self.query.items():
            several = value if isinstance(value, (list, tuple)) else [value]
            pairs += [(name, written(item)) for item in several if item is not None]
        return pairs

    def payload(self) -> bytes | None:
        """The body's bytes."""
        match self.body:
            case None:
                return None
            case bytes():
                return self.body
            case str():
                return self.body.encode()
            case _:
                return orjson.dumps(plain(self.body), option=orjson.OPT_UTC_Z)

    def repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does (RFC 9110, section 9.2.2), or the key makes it so."""
        return self.keyed or self.method in ("GET", "HEAD", "PUT", "DELETE")


def written(value: object) -> str:
    """A value as it stands in a query."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return stamp(value)
    return str(value)


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with ``Z``. Raises :class:`ValueError` on a time without offset."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no offset: give an aware time, for example in UTC")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain(body: object) -> object:
    """A document as JSON values: of a model what was set, by its names on the wire."""
    if isinstance(body, BaseModel):
        return body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(body, Mapping):
        return {str(name): plain(value) for name, value in body.items()}
    if isinstance(body, (list, tuple)):
        return [plain(item) for item in body]
    return stamp(body) if isinstance(body, datetime) else body
