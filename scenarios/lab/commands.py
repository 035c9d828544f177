"""Running commands of the system, with an error that says which one failed and why."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class LabError(RuntimeError):
    """The lab could not be built, driven or recorded."""


def run(argv: Sequence[str], *, text: str | None = None) -> str:
    """Run ``argv`` and return its output; raises :class:`LabError` with its complaint."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
