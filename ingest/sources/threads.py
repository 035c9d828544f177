"""Threads of sources. One that ends by a defect says so: it is logged, and the inbox knows, so that the daemon does not go on
as if its source were still listening."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from ingest.sources.inbox import Inbox


def source_thread(inbox: Inbox, name: str, work: Callable[[], None]) -> threading.Thread:
    """A thread, not started yet, that does ``work`` for the source that fills ``inbox``."""

    def run() -> None:
        try:
            work()
        except BaseException as defect:  # noqa: BLE001 - the thread's boundary: told, never swallowed
            structlog.get_logger("aiops.ingest").error("a source has ended", source=name, exc_info=defect)
            inbox.report_failure(name, defect)

    return threading.Thread(target=run, name=name, daemon=True)
