"""Case folders below a folder, by data set: the name of the folder that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aiops.errors import CaseError


@dataclass(frozen=True, slots=True)
class CaseFolder:
    """``data_set``: name of the parent folder; ``labelled``: whether there is a label to score against."""

    data_set: str
    path: Path
    labelled: bool

    @property
    def name(self) -> str:
        return self.path.name


def find_cases(root: Path) -> tuple[CaseFolder, ...]:
    """Every folder at or below ``root`` that holds a ``case.json``, sorted by path. Raises :class:`CaseError` on none."""
    if not root.is_dir():
        raise CaseError(
            f"{root}: not a folder", hint="name a folder with case folders below it", file=str(root)
        )
    found = sorted(file.parent for file in root.rglob("case.json"))
    if not found:
        raise CaseError(f"{root}: no case below it", hint="a case is a folder with case.json", file=str(root))
    return tuple(
        CaseFolder(path.resolve().parent.name, path, (path / "label.json").is_file()) for path in found
    )
