"""The operations of an OpenAPI document, with a path and a smallest body for each, for tests over all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """``scope`` None: public. ``body``: media type and content that follow the schema, None where none is taken. ``query``: the
    parameters that are required."""

    method: str
    path: str
    scope: str | None
    body: tuple[str, object] | None
    query: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def parameters(self) -> tuple[str, ...]:
        return tuple(re.findall(r"\{([^}]+)\}", self.path))

    def at(self, values: Mapping[str, str], default: str = "1") -> str:
        """The path with these values, and the query."""
        path = self.path
        for name in self.parameters():
            path = path.replace(f"{{{name}}}", values.get(name, default))
        return f"{path}?{self.query}" if self.query else path


def operations_of(document: Document) -> tuple[Operation, ...]:
    """By path and method."""
    found = []
    for path, methods in sorted(document["paths"].items()):
        for method, described in sorted(methods.items()):
            security = described["security"]
            scope = security[0]["bearer"][0] if security else None
            required = [
                (one["name"], smallest(one["schema"], document))
                for one in described.get("parameters", ())
                if one["in"] == "query" and one.get("required")
            ]
            query = urlencode(required, doseq=True)
            found.append(Operation(method.upper(), path, scope, _body(described, document), query))
    return tuple(found)


def _body(operation: Document, document: Document) -> tuple[str, object] | None:
    content = operation.get("requestBody", {}).get("content", {})
    for media_type, described in content.items():
        return media_type, smallest(described.get("schema", {}), document)
    return None


def smallest(schema: Document, document: Document) -> object:
    """A value with no more than ``schema`` requires; patterns and what no schema says are not looked at."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return smallest(document["components"]["schemas"][name], document)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return smallest(schema[word][0], document)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            members = schema.get("properties", {})
            return {name: smallest(members.get(name, {}), document) for name in schema.get("required", ())}
        case "array":
            return [smallest(schema.get("items", {}), document)] * int(schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string" if schema.get("format") == "date-time":
            return "2026-11-22T10:00:00Z"
        case "string":
            return "x" * max(1, int(schema.get("minLength", 1)))
    return {}
