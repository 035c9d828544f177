"""Where rule packs are: those that ship, those the settings name, those that came through the API."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from aiops.settings import Settings

RULES_FOLDER = "rules"


def rule_paths(settings: Settings) -> list[Path]:
    """Folders and files of packs, in this order."""
    return [shipped_packs(), *settings.rules, site_folder(settings)]


def shipped_packs() -> Path:
    return Path(str(resources.files("rules") / "packs"))


def site_folder(settings: Settings) -> Path:
    """Where packs that came through the API are kept; made if need be."""
    folder = settings.data / RULES_FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
