"""The client is what docs/openapi.json says: every operation, in both flavours, with its parameters, bodies and answers."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

from aiops.client import AsyncClient, Client
from aiops.client.calls import Call
from aiops.client.documents import Answered, Given
from tests.support.client_code import CLIENT, CONTRACT, client_code

DOCUMENT = json.loads(CONTRACT.read_text("utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]
#: Said by the client itself: ``wait`` does what ``Prefer`` does, and streams tell where they go on.
OWN = {"prefer", "accept", "content-type", "last-event-id"}
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def functions() -> Iterator[Callable[..., Call[object]]]:
    for file in sorted((CLIENT / "operations").glob("[a-z]*.py")):
        module = import_module(f"aiops.client.operations.{file.stem}")
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                assert name == value.__name__
                yield value


def sample(parameter: inspect.Parameter) -> object:
    """A value of the parameter's type."""
    written = str(parameter.annotation)
    if word := re.search(r"Literal\[['\"]([^'\"]+)", written):
        return word[1]
    for name, value in (("datetime", AT), ("Mapping", {}), ("Sequence", ["x"]), ("bool", True)):
        if name in written:
            return value
    return "x" if "str" in written else 1


CALLS = {
    make.__name__: make(**{p.name: sample(p) for p in inspect.signature(make).parameters.values()})
    for make in functions()
}
OPERATIONS = [(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item]


def calls_of(method: str, path: str) -> list[Call[object]]:
    return [call for call in CALLS.values() if (call.method, call.path) == (method, path)]


def test_the_made_part_is_that_of_the_contract() -> None:
    """``python -m tests.support.client_code`` makes it again."""
    made = client_code(DOCUMENT)
    assert {path: path.read_text("utf-8") if path.exists() else None for path in made} == made
    assert set((CLIENT / "operations").glob("*.py")) <= set(made)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_has_a_method_in_both_flavours(method: str, path: str) -> None:
    names = [name for name, call in CALLS.items() if (call.method, call.path) == (method, path)]
    assert names
    for name in names:
        assert getattr(Client, name).make is getattr(AsyncClient, name).make


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_parameters_are_those_of_the_contract(method: str, path: str) -> None:
    given = DOCUMENT["paths"][path][method.lower()].get("parameters", [])
    wanted = {(one["in"], one["name"].lower()) for one in given if one["name"].lower() not in OWN}
    sent: set[tuple[str, str]] = set()
    for call in calls_of(method, path):
        sent |= {("path", name.lower()) for name in call.places}
        sent |= {("query", name) for name, value in call.query.items() if value is not None}
        sent |= {("header", name.lower()) for name in call.headers if name != "content-encoding"}
        assert "{" not in call.url
    assert sent - {("header", "last-event-id")} == wanted


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_bodies_and_answers_are_those_of_the_contract(method: str, path: str) -> None:
    operation = DOCUMENT["paths"][path][method.lower()]
    content = (operation.get("requestBody") or {}).get("content", {})
    good = {
        int(status): answer.get("content", {})
        for status, answer in operation["responses"].items()
        if status < "3"
    }
    for call in calls_of(method, path):
        assert (call.body is not None) == bool(content)
        if content:
            assert call.content_type in {*content, "x"}  # "x": the sample of a parameter that says which
        assert set(call.reads) == set(good)
        for status, model in call.reads.items():
            schema = good[status].get("application/json", {}).get("schema", {})
            if "$ref" in schema and call.accept == "application/json":
                assert model is not None
                assert model.__name__ == schema["$ref"].rsplit("/", 1)[-1].replace("-", "")


def models() -> list[type[BaseModel]]:
    module = import_module("aiops.client.models")
    return [v for v in vars(module).values() if inspect.isclass(v) and issubclass(v, (Given, Answered))]


def shape(schema: Any, definitions: dict[str, Any], depth: int = 0) -> Any:
    """Types alone: what two schemas have to have in common to mean the same JSON."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1].replace("-", "")
    if "anyOf" in schema:
        parts = [shape(part, definitions, depth + 1) for part in schema["anyOf"]]
        kept = [part for part in parts if part != ("null", None)]
        return kept[0] if len(kept) == 1 else sorted(map(str, kept))
    kind = schema.get("type")
    if kind == "array":
        return [shape(schema.get("items", {}), definitions, depth + 1)]
    if kind == "object":
        inner = schema.get("additionalProperties") or next(
            iter(schema.get("patternProperties", {}).values()), None
        )
        return {"*": shape(inner, definitions, depth + 1) if isinstance(inner, dict) else None}
    return (kind, schema.get("format") if schema.get("format") == "date-time" else None)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_members_of_documents_are_those_of_the_contract(model: type[BaseModel]) -> None:
    known = {name.replace("-", ""): schema for name, schema in SCHEMAS.items()}[model.__name__]
    own = model.model_json_schema(by_alias=True)
    ours, theirs = own.get("properties", {}), known.get("properties", {})
    assert set(ours) == set(theirs)
    assert set(own.get("required", ())) == set(known.get("required", ()))
    assert model.model_config["frozen"]
    for name, schema in theirs.items():
        assert loosely(shape(ours[name], {})) == loosely(shape(schema, {})), name


def loosely(given: Any) -> str:
    """JSON that the contract leaves open is any JSON to us."""
    return re.sub(r"\{'\*': (None|\(None, None\)|'JsonValue')\}", "JSON", str(given)).replace(
        "'JsonValue'", "(None, None)"
    )
