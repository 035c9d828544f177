"""The policy file: defaults, tenants, and errors that say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiops.errors import ConfigError
from aiops.lifecycle.policy import GroupingPolicy
from aiops.settings import load_settings
from aiops.wiring.keeper import load_policy


def policy_of(tmp_path: Path, text: str, tenant: str = "default") -> GroupingPolicy:
    path = tmp_path / "grouping.yaml"
    path.write_text(text, encoding="utf-8")
    return load_policy(load_settings(data=tmp_path, grouping=path), tenant)


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load_policy(load_settings(data=tmp_path), "default") == GroupingPolicy()


def test_a_tenant_goes_above_the_default(tmp_path: Path) -> None:
    text = "default: {gap_s: 60, looks_s: [5, 10]}\ntenants: {lab: {enabled: false, resolve_after_s: null}}\n"
    expected = GroupingPolicy(gap_s=60.0, looks_s=(5.0, 10.0))
    assert policy_of(tmp_path, text) == expected
    lab = policy_of(tmp_path, text, "lab")
    assert (lab.enabled, lab.gap_s, lab.resolve_after_s) == (False, 60.0, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default: {gap: 60}", "line 1: unknown key 'gap'"),
        ("default:\n  gap_s: soon", "gap_s"),
        ("default: {gap_s: -1}", "gap_s must not be negative"),
        ("default: {min_severity: loud}", "min_severity must be one of"),
        ("default: {reopen: perhaps}", "reopen"),
        ("others: {}", "unknown key 'others'"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        policy_of(tmp_path, text)
