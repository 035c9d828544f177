"""The command line. Commands import what they need when they run, so that ``aiops --help`` is quick."""

from __future__ import annotations

from aiops.cli.app import main

__all__ = ["main"]
