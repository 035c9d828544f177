"""Writes the part of ``aiops.client`` that follows docs/openapi.json: ``python -m tests.support.client_code``.

Documents, operations and the methods of both flavours are made from the contract, so that a new route costs one run of this.
Connections, retries, paging, streams and waits are written by hand.
"""

from __future__ import annotations

import json
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from aiops.api import schemas as topics_of_api
from aiops.api.schemas.primitives import Strict
from tests.support.client_contract import Operation, Parameter, operations, referred, schemas

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "docs" / "openapi.json"
CLIENT = ROOT / "aiops" / "client"
_NOTE = "Made from docs/openapi.json by ``python -m tests.support.client_code``."
#: A module that is made for the first time is not on disk yet, and is ours all the same.
_OURS = 'lint.isort.known-first-party = ["aiops"]'
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
#: Members whose names mean something else in Python or on a model.
_TAKEN = frozenset(
    {"from", "json", "schema", "copy", "validate", "dict", "construct", "plain", "class", "global"}
)


def main() -> None:
    made = client_code(json.loads(CONTRACT.read_text("utf-8")))
    for folder in ("models", "operations"):
        for gone in set((CLIENT / folder).glob("*.py")) - set(made):
            gone.unlink()
    for path, text in made.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


def client_code(contract: dict[str, Any]) -> dict[Path, str]:
    """Every made file by its path, formatted."""
    known = operations(contract)
    tags = sorted({operation.tag for operation in known})
    made = {**_models(contract), CLIENT / "methods.py": _methods(known, tags)}
    made[CLIENT / "operations" / "__init__.py"] = f'"""One function an operation. {_NOTE}"""\n'
    for tag in tags:
        mine = [operation for operation in known if operation.tag == tag]
        made[CLIENT / "operations" / f"{tag}.py"] = _operations(tag, mine)
    return {path: _formatted(text, path) for path, text in made.items()}


def _formatted(text: str, path: Path) -> str:
    for command in (
        ["check", "--fix", "--quiet", "--select", "I,F401", "--config", _OURS],
        ["format", "--quiet"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, f"{path}: {done.stdout}{done.stderr}"
        text = done.stdout
    return text


# documents


def _models(contract: dict[str, Any]) -> dict[Path, str]:
    """A module a topic, as the server has them, and a package from which every document is imported."""
    known, homes = schemas(contract), _homes()
    topics: dict[str, list[str]] = {}
    for name in _in_order(known):
        topics.setdefault(_topic(name, known[name], homes), []).append(name)
    folder = CLIENT / "models"
    made = {folder / "__init__.py": _every_model(topics)}
    home = {name: topic for topic, names in topics.items() for name in names}
    for topic, names in topics.items():
        made[folder / f"{topic}.py"] = _models_of(topic, names, known, home)
    return made


def _homes() -> dict[tuple[str, bool], str]:
    """The server's module of each document, by its name and whether it goes in."""
    return {
        (name, issubclass(value, Strict)): module.name
        for module in pkgutil.iter_modules(topics_of_api.__path__)
        for name, value in vars(import_module(f"{topics_of_api.__name__}.{module.name}")).items()
        if isinstance(value, type) and value.__module__.endswith(f".{module.name}")
    }


def _topic(name: str, schema: dict[str, Any], homes: dict[tuple[str, bool], str]) -> str:
    """Where a name is used twice, the contract ends it with Input or Output."""
    goes_in = schema.get("additionalProperties") is False
    plain = re.sub(r"(Input|Output)$", "", name)
    topic = homes.get((name, goes_in)) or homes.get((plain, goes_in))
    assert topic is not None, f"no module of aiops/api/schemas has {name}"
    return topic


def _every_model(topics: dict[str, list[str]]) -> str:
    imports = [
        f"from aiops.client.models.{topic} import {', '.join(sorted(names))}"
        for topic, names in sorted(topics.items())
    ]
    every = sorted(name for names in topics.values() for name in names)
    return "\n".join([f'"""The documents of the API. {_NOTE}"""\n', *imports, f"\n__all__ = {every!r}\n"])


def _models_of(topic: str, names: list[str], known: dict[str, Any], home: dict[str, str]) -> str:
    foreign = {other for name in names for other in referred(known[name]) & set(known)} - set(names)
    head = f'''"""Documents of ``{topic}``. {_NOTE}"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from aiops.client.documents import Answered, Given, JsonObject
'''
    head += "".join(f"from aiops.client.models.{home[other]} import {other}\n" for other in sorted(foreign))
    return "\n\n".join([head, *(_model(name, known[name]) for name in names)])


def _in_order(known: dict[str, Any]) -> Iterator[str]:
    """A document after those it consists of."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done:
            return
        done.add(name)
        for other in sorted(referred(known[name]) & set(known)):
            yield from visit(other)
        yield name

    for name in sorted(known):
        yield from visit(name)


def _model(name: str, schema: dict[str, Any]) -> str:
    goes_in = schema.get("additionalProperties") is False
    lines = [f"class {name}({'Given' if goes_in else 'Answered'}):"]
    said = schema.get("description", "")
    if said:
        lines += [_docstring(said, 1)]
    needed = set(schema.get("required", ()))
    members = sorted(schema.get("properties", {}).items(), key=lambda item: item[0] not in needed)
    for member, inner in members:
        lines.append("    " + _member(member, inner, member in needed, closed=goes_in))
    if not members and not said:
        lines.append('    """No members."""')
    return "\n".join(lines)


def _member(name: str, schema: dict[str, Any], needed: bool, *, closed: bool) -> str:
    written = annotation(schema, closed=closed)
    if not needed and "None" not in written.split(" | "):
        written += " | None"
    field = f"{name}_" if name in _TAKEN else name
    if field == name:
        return f"{field}: {written}" + ("" if needed else " = None")
    return f"{field}: {written} = Field({'' if needed else 'None, '}alias={name!r})"


def annotation(schema: dict[str, Any], *, closed: bool) -> str:
    """The type of a value. ``closed``: of a document that goes in, where only the words of the contract are taken."""
    if "$ref" in schema:
        return _name(schema["$ref"])
    if "anyOf" in schema or "oneOf" in schema:
        several = [annotation(part, closed=closed) for part in schema.get("anyOf", schema.get("oneOf", ()))]
        return " | ".join(sorted(dict.fromkeys(several), key=lambda text: text == "None"))
    if "enum" in schema and closed:
        return f"Literal[{', '.join(json.dumps(word) for word in schema['enum'])}]"
    kind = schema.get("type")
    if kind == "string":
        return "datetime" if schema.get("format") == "date-time" else "str"
    if kind == "array":
        return f"tuple[{annotation(schema.get('items', {}), closed=closed)}, ...]"
    if kind == "object":
        inner = schema.get("additionalProperties") or next(
            iter(schema.get("patternProperties", {}).values()), None
        )
        if not isinstance(inner, dict) or not inner:
            return "JsonObject"
        return f"Mapping[str, {annotation(inner, closed=closed)}]"
    if "const" in schema and kind is None:
        return "str"
    return _PLAIN.get(kind or "", "JsonValue")


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1].replace("-", "")


def _docstring(text: str, depth: int) -> str:
    indent = "    " * depth
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    wrapped = [textwrap.wrap(part, 108 - len(indent)) for part in paragraphs]
    lines = [line for part in wrapped for line in [*part, ""]][:-1]
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""'
    body = "\n".join(f"{indent}{line}" if line else "" for line in lines[1:])
    return f'{indent}"""{lines[0]}\n{body}\n{indent}"""'


# operations


def _operations(tag: str, known: list[Operation]) -> str:
    head = f'''"""Operations of ``{tag}``. {_NOTE}"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call
from aiops.client.documents import Answered, Listed
from aiops.client.event_stream import Event
'''
    return "\n\n".join([head, *(_operation(one) for operation in known for one in operation.faces())])


def _operation(operation: Operation) -> str:
    text = operation.description
    head = f"def {operation.name}({', '.join(_arguments(operation))}) -> Call[{_result(operation)}]:"
    members = [f"{operation.method!r}", f"{operation.path!r}", f"{{{', '.join(_reads(operation))}}}"]
    if places := operation.parameters_in("path"):
        members.append(f"places={{{', '.join(f'{p.name!r}: {p.argument}' for p in places)}}}")
    if query := operation.parameters_in("query"):
        members.append(f"query={{{', '.join(f'{p.name!r}: {p.argument}' for p in query)}}}")
    given = [f"{one.name!r}: {one.argument}" for one in operation.parameters_in("header")]
    if operation.body is not None and operation.body.raw:
        given.append("'content-encoding': content_encoding")
    if given:
        members.append(f"headers={{{', '.join(given)}}}")
    if operation.body is not None:
        members.append("body=document")
        if operation.body.types != ("application/json",):
            members.append("content_type=content_type")
    if operation.keyed:
        members.append("keyed=True")
    if operation.accept != "application/json":
        members.append(f"accept={operation.accept!r}")
    return f"{head}\n{_docstring(text, 1)}\n    return Call({', '.join(members)})\n"


def _arguments(operation: Operation) -> list[str]:
    given = [f"{one.argument}: {_argument_type(one)}" for one in operation.parameters_in("path")]
    if operation.body is not None:
        optional = "" if operation.body.required else " | None = None"
        given.append(f"document: {_body_type(operation)}{optional}")
    named = [one for one in operation.parameters if one.place != "path"]
    named.sort(key=lambda one: not one.required)
    options = [_option(one) for one in named]
    if operation.body is not None and operation.body.types != ("application/json",):
        options.append(f"content_type: str = {operation.body.types[0]!r}")
    if operation.body is not None and operation.body.raw:
        options.append("content_encoding: str | None = None")
    return [*given, "*", *options] if options else given


def _option(parameter: Parameter) -> str:
    written = f"{parameter.argument}: {_argument_type(parameter)}"
    if parameter.required:
        return written
    return written + ("" if written.endswith("| None") else " | None") + " = None"


def _argument_type(parameter: Parameter) -> str:
    written = annotation(parameter.schema, closed=True).replace("tuple[", "Sequence[").replace(", ...]", "]")
    return f"{written} | int" if parameter.place == "path" and parameter.name == "number" else written


def _body_type(operation: Operation) -> str:
    assert operation.body is not None
    if operation.body.raw:
        return "bytes | str"
    kinds = []
    for schema in operation.body.schemas:
        if "$ref" in schema:
            kinds += [f"models.{_name(schema['$ref'])}", "Mapping[str, object]"]
        elif schema.get("type") == "array":
            kinds.append("Sequence[Mapping[str, object]]")
        else:
            kinds.append("Mapping[str, object]")
    return " | ".join(dict.fromkeys(kinds))


def _reads(operation: Operation) -> list[str]:
    return [f"{status}: {_read_type(schema)}" for status, schema in sorted(operation.results.items())]


def _read_type(schema: dict[str, Any] | None) -> str:
    if schema is None or schema.get("type") == "string":
        return "None"
    if "$ref" in schema:
        return f"models.{_name(schema['$ref'])}"
    if schema.get("type") == "array":
        return f"Listed[{_read_type(schema['items'])}]"
    assert schema.get("type") == "object" or not schema, f"no document for {schema}"
    return "Answered"


def _result(operation: Operation) -> str:
    if operation.streams:
        return "Event"
    if operation.accept != "application/json":
        return "str"
    kinds = [_read_type(schema) for _, schema in sorted(operation.results.items())]
    written = " | ".join(dict.fromkeys(kinds))
    return re.sub(r"Listed\[(.*?)\]", r"tuple[\1, ...]", written)


# methods


def _methods(known: list[Operation], tags: list[str]) -> str:
    head = f'''"""Every operation as a method, in both flavours. {_NOTE}"""

from __future__ import annotations

from aiops.client.binding import awaited, blocking, paged, paged_async, streaming, streaming_async
from aiops.client.operations import {", ".join(tags)}
'''
    flavours = (
        ("BlockingMethods", "Methods that block.", "blocking", "paged", "streaming"),
        ("AsyncMethods", "Methods whose answers are awaited.", "awaited", "paged_async", "streaming_async"),
    )
    return "\n\n".join([head, *(_flavour(known, *flavour) for flavour in flavours)])


def _flavour(known: list[Operation], name: str, text: str, one: str, pages: str, events: str) -> str:
    lines = [f"class {name}:", f'    """{text}"""', ""]
    for operation in known:
        for face in operation.faces():
            bind = events if face.streams else one
            lines.append(f"    {face.name} = {bind}({face.tag}.{face.name})")
        if operation.paged:
            item = operation.name.removeprefix("list_")
            lines.append(f"    iter_{item} = {pages}({operation.tag}.{operation.name})")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
