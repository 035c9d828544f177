"""What all documents of the API have in common on this side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, PrivateAttr, RootModel

T = TypeVar("T")
#: JSON whose shape the contract leaves open.
JsonObject = Mapping[str, JsonValue]


class Given(BaseModel):
    """A document that goes in. What was not set is not sent, so that the server's defaults hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Facts:
    """What came beside a document. ``etag``: for ``if_match``; ``request_id``: what the server's log has it under."""

    status: int = 200
    etag: str | None = None
    request_id: str = ""
    replayed: bool = False


class Answered(BaseModel):
    """A document that comes back. Members that a newer server adds are in ``model_extra``."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)
    _facts: Facts = PrivateAttr(Facts())

    @property
    def answer_facts(self) -> Facts:
        """How it was answered; of the outermost document only."""
        return self._facts

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, however they were answered."""
        if type(other) is not type(self):
            return False
        return self.__dict__ == other.__dict__ and self.model_extra == other.model_extra

    def plain(self) -> dict[str, JsonValue]:
        """The document as it came, as JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def with_facts(self, facts: Facts) -> Self:
        """Told once, by the transport, before anybody sees the document."""
        self._facts = facts
        return self


class Listed(RootModel[tuple[T, ...]]):
    """An answer that is a list; callers are given the tuple."""
