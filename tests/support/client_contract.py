"""docs/openapi.json as the client's code maker reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

JSON = "application/json"
EVENTS = "text/event-stream"
#: Headers that the client sets itself.
_OWN_HEADERS = frozenset({"prefer", "accept", "content-type"})


@dataclass(frozen=True)
class Parameter:
    name: str
    place: str
    required: bool
    schema: dict[str, Any]

    @property
    def argument(self) -> str:
        return re.sub(r"\W", "_", self.name.lower()) + (
            "_" if self.name in ("from", "class", "global") else ""
        )


@dataclass(frozen=True)
class Body:
    required: bool
    types: tuple[str, ...]
    schemas: tuple[dict[str, Any], ...]

    @property
    def raw(self) -> bool:
        """Bytes or text, not documents."""
        return not all(name.endswith("json") for name in self.types)


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    tag: str
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    #: for each status of success the schema of its JSON document, or of its text; None: no body
    results: Mapping[int, dict[str, Any] | None]
    accepts: tuple[str, ...]
    keyed: bool
    paged: bool

    @property
    def accept(self) -> str:
        return self.accepts[0] if self.accepts else JSON

    @property
    def streams(self) -> bool:
        return self.accept == EVENTS

    def parameters_in(self, place: str) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.place == place]

    def faces(self) -> Iterator[Operation]:
        """The operation with a document as its answer, and where it has other faces the same with text."""
        chosen = next((one for one in self.parameters if one.name == "format"), None)
        if chosen is None or len(self.accepts) < 2:
            yield self
            return
        rest = tuple(one for one in self.parameters if one is not chosen)
        words = _words(chosen.schema)
        others = [word for word in words if word not in ("json", "cytoscape")]
        if JSON in self.accepts:
            first = {status: _first(schema) for status, schema in self.results.items()}
            yield replace(self, parameters=rest, accepts=(JSON,), results=first)
        schema = {"enum": others, "type": "string"} if others else {"type": "string"}
        yield replace(
            self,
            name=f"{self.name}_as",
            parameters=(*rest, replace(chosen, required=True, schema=schema)),
            accepts=("*/*",),
            results=dict.fromkeys(self.results),
        )


def _first(schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of several documents the one that is answered where no format is asked for."""
    several = (schema or {}).get("anyOf")
    return several[0] if several else schema


def operations(contract: dict[str, Any]) -> list[Operation]:
    """Every operation, in the order of the contract."""
    return [
        _operation(contract, method, path, given)
        for path, item in contract["paths"].items()
        for method, given in item.items()
    ]


def schemas(contract: dict[str, Any]) -> dict[str, Any]:
    """Every document but those of problems, which the client reads by hand."""
    known = contract["components"]["schemas"]
    return {
        name.replace("-", ""): schema
        for name, schema in known.items()
        if not name.startswith("Problem") and schema.get("type") == "object"
    }


def referred(schema: object) -> set[str]:
    """Names of the documents that a schema refers to."""
    if isinstance(schema, dict):
        own = {schema["$ref"].rsplit("/", 1)[-1].replace("-", "")} if "$ref" in schema else set()
        return own.union(*(referred(value) for value in schema.values()), set())
    return set().union(*(referred(item) for item in schema)) if isinstance(schema, list) else set()


def _words(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return list(schema["enum"])
    return [word for part in schema.get("anyOf", ()) for word in _words(part)]


def _operation(contract: dict[str, Any], method: str, path: str, given: dict[str, Any]) -> Operation:
    parameters = [
        Parameter(one["name"], one["in"], one.get("required", False), _without_null(one["schema"]))
        for one in given.get("parameters", ())
        if one["name"].lower() not in _OWN_HEADERS
    ]
    results, accepts = _results(contract, given["responses"])
    description = given.get("description") or given["summary"]
    keyed = any(one.name.lower() == "idempotency-key" for one in parameters)
    return Operation(
        name=given["operationId"][: -len(re.sub(r"\W", "_", path) + "_" + method)],
        method=method.upper(),
        path=path,
        tag=given["tags"][0].replace("-", "_").replace(" ", "_"),
        description=description,
        parameters=tuple(parameters),
        body=_body(given.get("requestBody")),
        results=results,
        accepts=accepts,
        keyed=keyed or (method == "post" and "Idempotency-Key" in description),
        paged=any(one.name == "cursor" for one in parameters) and _has_next(contract, results),
    )


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    several = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    return several[0] if len(several) == 1 else schema


def _body(given: dict[str, Any] | None) -> Body | None:
    if given is None:
        return None
    content = given["content"]
    return Body(
        given.get("required", False),
        tuple(content),
        tuple(_without_null(one.get("schema", {})) for one in content.values()),
    )


def _results(
    contract: dict[str, Any], responses: dict[str, Any]
) -> tuple[dict[int, dict[str, Any] | None], tuple[str, ...]]:
    results: dict[int, dict[str, Any] | None] = {}
    accepts: dict[str, None] = {}
    for status, response in responses.items():
        if not status.startswith("2"):
            continue
        content = response.get("content", {})
        accepts |= dict.fromkeys(content)
        results[int(status)] = None
        if content:
            results[int(status)] = content.get(JSON, next(iter(content.values()))).get("schema", {})
    ordered = sorted(accepts, key=lambda name: name != JSON)
    return results, tuple(ordered)


def _has_next(contract: dict[str, Any], results: Mapping[int, dict[str, Any] | None]) -> bool:
    schema = results.get(200) or {}
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return "next_cursor" in contract["components"]["schemas"].get(name, {}).get("properties", {})
