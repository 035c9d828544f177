"""``python -m aiops``."""

from __future__ import annotations

from aiops.cli import main

main()
