from __future__ import annotations

from pathlib import Path

import pytest

from aiops.errors import ConfigError
from aiops.settings import Settings, load_settings


def test_environment_is_read_and_an_option_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIOPS_PORT", "9000")
    monkeypatch.setenv("AIOPS_DATA", str(tmp_path))
    monkeypatch.setenv("AIOPS_RULES", '["a.yaml", "b.yaml"]')
    settings = load_settings(port=None, host="::1")
    assert (settings.port, settings.host, settings.data) == (9000, "::1", tmp_path)
    assert settings.rules == (Path("a.yaml"), Path("b.yaml"))
    assert load_settings(port=1234).port == 1234


def test_loopback_and_sqlite_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"AIOPS_{name.upper()}", raising=False)
    settings = load_settings()
    assert (settings.host, settings.store) == ("127.0.0.1", "sqlite")
    assert settings.secret("bootstrap_token") is None


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"AIOPS_PORT: .*65535"):
        load_settings(port=70000)
    with pytest.raises(ConfigError, match="AIOPS_STORE"):
        load_settings(store="oracle")


def test_secrets_come_by_value_or_by_file_but_not_both(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    assert load_settings(bootstrap_token_file=file).secret("bootstrap_token") == "s3cret"
    by_value = load_settings(neo4j_password="hunter2")
    assert by_value.secret("neo4j_password") == "hunter2"
    assert "hunter2" not in repr(by_value)
    with pytest.raises(ConfigError, match="AIOPS_BOOTSTRAP_TOKEN or AIOPS_BOOTSTRAP_TOKEN_FILE, not both"):
        load_settings(bootstrap_token="x", bootstrap_token_file=file)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot read"), (b"", "is empty"), (b"\xff\xfe", "cannot read")]
)
def test_a_secret_file_that_cannot_serve_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_settings(neo4j_password_file=file).secret("neo4j_password")


def test_a_list_that_is_not_json_is_named_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_RULES", "/etc/aiops/rules")
    with pytest.raises(ConfigError, match="AIOPS_RULES: '/etc/aiops/rules' is not JSON") as raised:
        load_settings()
    assert """AIOPS_RULES='["one", "other"]'""" in str(raised.value.hint)
