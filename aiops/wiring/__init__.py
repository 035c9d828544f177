"""The composition root: the only place that names concrete classes of several rooms.

Functions take :class:`aiops.settings.Settings` and give back assembled objects; what they do with them is the caller's.
"""

from __future__ import annotations

from aiops.settings import load_settings as load
from aiops.wiring.analysis import (
    CaseAnalyzer,
    case_pipeline,
    load_corrector,
    load_mapping,
    load_rule_engine,
    load_rule_set,
    make_pipeline,
)
from aiops.wiring.loaded import keep_loaded
from aiops.wiring.stores import GRAPH_FILE, TOKEN_FILE, Stores, SystemClock, open_stores

__all__ = [
    "GRAPH_FILE",
    "TOKEN_FILE",
    "CaseAnalyzer",
    "Stores",
    "SystemClock",
    "case_pipeline",
    "keep_loaded",
    "load",
    "load_corrector",
    "load_mapping",
    "load_rule_engine",
    "load_rule_set",
    "make_pipeline",
    "open_stores",
]
