"""The wheel's build hook: bundles the page into ``aiops/web/static`` (``aiops/web/build.py`` does the work)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _page_build(root: str) -> ModuleType:
    """``aiops/web/build.py`` by its path: the package's other modules need what is not installed here."""
    spec = importlib.util.spec_from_file_location("page_build", Path(root) / "aiops" / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """For wheels and editable installations."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """node and npm as a package, where the machine has none and the bundle is not there yet."""
        page = _page_build(self.root)
        return [] if page.is_current() or page.find_toolchain() is not None else [page.NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        page = _page_build(self.root)
        try:
            page.build()
        except page.PageBuildError as error:
            self.app.abort(f"the page was not bundled: {error}")
