"""Start-up check: the top-level packages that we import are ours.

``rules`` is a name that another distribution on the package index uses too; in an environment that has both, whichever
comes first on the path wins. Better a clear refusal at the start than an odd failure later.
"""

from __future__ import annotations

import importlib

from aiops.errors import ConfigError

OURS = "kg-aiops"


def check_package_is_ours(name: str = "rules") -> None:
    """Raise :class:`ConfigError` unless the package ``name`` declares that it belongs to this distribution."""
    hint = "install kg-aiops in an environment of its own, or remove the other distribution"
    try:
        package = importlib.import_module(name)
    except ImportError as exc:
        raise ConfigError(
            f"the package {name!r} cannot be imported: {exc}", hint=hint, file=name, line=0
        ) from exc
    if getattr(package, "DISTRIBUTION", None) != OURS:
        where = getattr(package, "__file__", None) or "an unknown place"
        raise ConfigError(
            f"the package {name!r} at {where} is not part of {OURS}", hint=hint, file=where, line=0
        )
