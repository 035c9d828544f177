"""Text from outside in every face: whatever a log line, a name or a title holds, it stays text."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import html.parser
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aiops.domain.graph import Entity
from aiops.domain.occurrences import Incident
from aiops.reasoning.documents import analysis_document, analysis_json
from aiops.reasoning.faces.foreign import LONGEST, columns, one_line
from aiops.reasoning.rendering import (
    content_security_policy,
    render_fragment,
    render_html,
    render_markdown,
    render_text,
)
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.pipelines import make_pipeline
from tests.support.sites import START, chain

#: What somebody who may write a log line would try.
ATTACKS = (
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x9b2J",
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'></code></li></article><b>",
    "{{ 7*7 }} {% raw %} ${jndi:ldap://evil} #{1+1}",
    "**bold** _it_ `code` ``more`` [text](http://evil.example) ![x](http://evil.example/x.png) # head\n\n---\n| a | b |",
    "<!channel> <!here> <@U123> <http://evil.example|bank.example> @everyone @here",
    "{code}x{code} [~admin] !http://evil.example/x.png! {html}<b>{html} [bank|http://evil.example]",
    "\u202egpj.exe\u202c \u2066\u2067\u2069 \u200b\ufeff \u0000 \r\n\t \ud800",
    "Z" + "\u0301" * 300 + " \u4e2d\u6587" * 40,
    "A" * 200_000,
)
TEXTS = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(alphabet=st.characters(codec=None), max_size=200),
    st.text(alphabet="<>&\"'`*_[](){}!@#|~\\/:-= \x1b\u202e\u200bab1", max_size=80),
)


@functools.cache
def harmless_document() -> bytes:
    return analysis_json(told("nothing"))


def told(text: str) -> Any:
    """An analysis in which ``text`` is everywhere where somebody else writes."""
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    sound = text.encode("utf-8", "replace").decode()  # a store holds no unpaired surrogates
    site = chain()
    site.entities["service:shop"] = Entity("service:shop", "Service", sound[:2000] or "shop")
    site.alarm("service:shop", 5.0, sound[:5000] or "x").alarm("service:edge", 9.0, "HighErrorRate")
    site.alarm("database:orders", 0.0, "InstanceDown").line(
        "database:orders", -2.0, f"PANIC: error {sound}", 2
    )
    site.change("database:orders", -100.0, sound[:5000] or "x")
    site.write(graph, signals)
    posted = Incident(
        "i1",
        sound[:5000],
        START,
        affected=("service:edge",),
        window_after_s=timedelta(minutes=5).total_seconds(),
    )
    return make_pipeline(graph, signals).analyze(posted)


class Tags(html.parser.HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "article",
        "section",
        "h1",
        "h2",
        "h3",
        "ul",
        "ol",
        "li",
    ),
    *("code", "sup", "a", "p", "span", "time", "footer"),
}
_ATTRIBUTES = {"lang", "charset", "name", "content", "class", "id", "href", "rel", "value"}


def check_text(face: str) -> None:
    assert all(char.isprintable() or char == "\n" for char in face)
    assert max(map(columns, face.splitlines())) <= 80


def check_html(face: str) -> None:
    tags = Tags()
    tags.feed(face)
    for tag, attributes in tags.found:
        assert tag in _TAGS, tag
        assert set(attributes) <= _ATTRIBUTES
        link = attributes.get("href")
        assert link is None or re.fullmatch(r"#e[0-9a-f]{12}", link) or link.startswith("https://")
    assert "\u202e" not in face
    assert "\x1b" not in face


def check_markdown(face: str) -> None:
    assert all(char.isprintable() or char in "\n\u200b" for char in face)
    assert not re.search(r"<[!@#]", face), "Slack takes an order"
    assert not re.search(r"@\w", face), "somebody is called"
    for block in MarkdownIt("commonmark").enable("table").parse(face):
        assert block.type in _BLOCKS, block.type
        for part in block.children or ():
            assert part.type in _INLINE, part.type
            if part.type == "text":
                assert "://" not in part.content, "an address that becomes a link"
            if part.type == "code_inline":
                assert not re.search("<[^\\s\u200b]|[{!|](?![\\s\u200b]|$)|\\[~", part.content), (
                    "Slack or Jira takes an order"
                )


_BLOCKS = {
    *(
        "paragraph_open",
        "paragraph_close",
        "inline",
        "heading_open",
        "heading_close",
        "list_item_open",
        "list_item_close",
    ),
    *("bullet_list_open", "bullet_list_close", "ordered_list_open", "ordered_list_close"),
}
_INLINE = {"text", "text_special", "code_inline", "strong_open", "strong_close", "em_open", "em_close"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: ascii(attack[:12]))
def test_attacks_are_harmless_in_every_face(attack: str) -> None:
    document = analysis_document(told(attack))
    check_text(render_text(document))
    check_html(render_html(document))
    check_html(render_fragment(document))
    check_markdown(render_markdown(document))
    assert len(analysis_json(told(attack))) < 20 * len(harmless_document()), "bounded, whatever is said"
    for face in (render_text, render_markdown, render_html):
        assert len(face(document)) < 200_000


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_text_is_harmless_in_every_face(text: str) -> None:
    document = analysis_document(told(text))
    check_text(render_text(document))
    check_html(render_html(document))
    check_markdown(render_markdown(document))


@given(TEXTS)
def test_foreign_text_is_one_printable_line_of_bounded_length(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= LONGEST
    assert one_line(line) == line


def test_what_is_shown_is_what_was_said() -> None:
    """Harmless does not mean lost: the words of the line can be read in each face."""
    document = analysis_document(told('a <b>"bold"</b> & `tick` line'))
    assert 'a <b>"bold"</b> & `tick` line' in " ".join(render_text(document).split())
    assert 'a <b>"bold"</b> & `tick` line' in html.unescape(render_html(document))
    assert 'a <b>"bold"</b> & `tick` line' in render_markdown(document).replace("\u200b", "")


def test_the_page_carries_the_one_style_that_its_policy_names() -> None:
    page = render_html(analysis_document(told("x")))
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_security_policy()
    assert "script" not in page
    assert "style=" not in page
    assert content_security_policy().startswith("default-src 'none';")


def test_only_addresses_of_rules_become_links() -> None:
    markdown = render_markdown(analysis_document(told("see https://evil.example/x")))
    assert "https://evil.example" not in re.sub(r"`.*?`", "", markdown)
