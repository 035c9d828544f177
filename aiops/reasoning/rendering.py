"""The analysis resource as text, Markdown and HTML. All are made from the document that the API returns and from nothing else,
so that an engineer on the command line, in chat, in mail and in the page reads the same answer.
"""

from __future__ import annotations

from aiops.reasoning.faces.html import content_security_policy, render_fragment, render_html
from aiops.reasoning.faces.markdown import render_markdown
from aiops.reasoning.faces.plain import render_text

__all__ = ["content_security_policy", "render_fragment", "render_html", "render_markdown", "render_text"]
