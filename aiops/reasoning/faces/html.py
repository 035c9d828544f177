"""For the page and for mail: HTML without script, made by a template that escapes everything.

The fragment has class names and no style of its own, so it fits under any policy; the whole page carries one stylesheet that its
policy names by hash (CSP Level 3, section 2.3.1).
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from aiops.reasoning.faces.foreign import one_line
from aiops.reasoning.faces.reading import Document, read

_FILES = ("analysis.html.j2", "page.html.j2", "analysis.css")


def render_fragment(document: Document, *, top: int = 5) -> str:
    """The answer as one ``article`` element of class ``aiops-analysis``."""
    return _environment().get_template("analysis.html.j2").render(_values(document, top))


def render_html(document: Document, *, top: int = 5) -> str:
    """The answer as a page of its own, to be sent under :func:`content_security_policy`."""
    values = {**_values(document, top), "style": Markup(_files()["analysis.css"])}  # noqa: S704  our own file
    return _environment().get_template("page.html.j2").render(values)


@cache
def content_security_policy() -> str:
    """Nothing is loaded and nothing runs; the stylesheet in the page is the one that ships."""
    digest = hashlib.sha256(_files()["analysis.css"].encode()).digest()
    style = base64.b64encode(digest).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _values(document: Document, top: int) -> dict[str, Any]:
    reading = read(document, top)
    ids = {note.number: note.id for note in reading.notes}
    return {"reading": reading, "ids": ids, "verdict": str(document["verdict"])}


@cache
def _files() -> dict[str, str]:
    folder = resources.files("aiops.reasoning.faces")
    return {name: (folder / name).read_text(encoding="utf-8") for name in _FILES}


@cache
def _environment() -> Environment:
    return Environment(
        loader=DictLoader(_files()),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _harmless(value: object) -> object:
    """Whatever is put into the page is on one line and prints."""
    return one_line(value, 4000) if type(value) is str else value
