"""Log lines as columns of codes: who said it, the text, its template, and the statement of the program that wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from aiops.domain.batches import FloatArray, IntArray
from ingest.templates import statement_of

TemplateFunction = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class LogColumns:
    """One row a line: seconds, severity (NaN where unknown), and codes into the sorted texts beside them.

    An ``event`` is what comes and goes together with a path through a program: the statement that wrote the line where
    the line tells it, else its template.
    """

    table: pa.Table
    at: FloatArray
    severity: FloatArray
    entities: list[str]
    entity: IntArray
    messages: list[str]
    message: IntArray
    templates: list[str]
    template: IntArray
    events: list[str]
    event: IntArray

    def text(self, row: int) -> str:
        return self.messages[int(self.message[row])]

    def field(self, name: str, row: int) -> str:
        """Column ``name`` of the table as text, empty where null."""
        return str(self.table.column(name)[row].as_py() or "")


def encode_lines(logs: pa.Table, templates: TemplateFunction) -> LogColumns:
    """``logs`` follows LOG_SCHEMA; ``templates`` maps distinct messages to templates where lines carry none yet."""
    entities, entity = _encode(logs.column("entity"))
    messages, message = _encode(logs.column("message"))
    of_message = _templates(logs, messages, message, templates)
    statements = [statement_of(text) or template for text, template in zip(messages, of_message, strict=True)]
    names, template_of = _codes(of_message)
    events, event_of = _codes(statements)
    return LogColumns(
        table=logs,
        at=logs.column("at_s").to_numpy(),
        severity=logs.column("severity").cast(pa.float64()).to_numpy(zero_copy_only=False),
        entities=entities,
        entity=entity,
        messages=messages,
        message=message,
        templates=names,
        template=template_of[message],
        events=events,
        event=event_of[message],
    )


def _encode(column: pa.ChunkedArray) -> tuple[list[str], IntArray]:
    """Distinct texts, sorted, and the code of each row."""
    encoded = column.cast(pa.string()).combine_chunks().fill_null("").dictionary_encode()
    words: list[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    rank = np.empty(len(words), dtype=np.int64)
    rank[order] = np.arange(len(words))
    return [words[i] for i in order], rank[encoded.indices.to_numpy(zero_copy_only=False)]


def _templates(
    logs: pa.Table, messages: list[str], message: IntArray, templates: TemplateFunction
) -> Sequence[str]:
    """The template of each distinct message. Those that lines carry are as their stream knew them at the time; they are mined
    once more, so that a template and what became of it are one."""
    stored = logs.column("template")
    if stored.null_count:
        return templates(messages)
    texts, code = _encode(stored)
    of_text = templates(texts)
    of_message = np.zeros(len(messages), dtype=np.int64)
    of_message[message] = code
    return [of_text[place] for place in of_message.tolist()]


def _codes(texts: Sequence[str]) -> tuple[list[str], IntArray]:
    """Distinct texts, sorted, and the code of each of ``texts``."""
    distinct = sorted(set(texts))
    code_of = {text: code for code, text in enumerate(distinct)}
    return distinct, np.array([code_of[text] for text in texts], dtype=np.int64)
