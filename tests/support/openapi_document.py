"""Writes docs/openapi.json from the application: ``python -m tests.support.openapi_document``."""

from __future__ import annotations

import json
from pathlib import Path

from aiops.api.app import create_app
from tests.support.api_fakes import fake_site


def main() -> None:
    """The document of an application over fakes: what is behind it does not show in it."""
    site = fake_site()
    document = create_app(site.services).openapi()
    site.close()
    target = Path(__file__).parents[2] / "docs" / "openapi.json"
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
