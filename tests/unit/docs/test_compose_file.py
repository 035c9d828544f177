"""What can be held without a container engine: nothing listens beyond loopback, no secret has a default."""

from __future__ import annotations

from pathlib import Path

import yaml

COMPOSE = yaml.safe_load((Path(__file__).parents[3] / "docker-compose.yml").read_text(encoding="utf-8"))


def test_every_published_port_is_on_loopback() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_come_from_files_only() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if any(word in name.upper() for word in ("PASSWORD", "TOKEN", "AUTH")):
                assert name.endswith("_FILE"), name
                assert value.startswith("/run/secrets/"), name
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())


def test_every_service_is_checked_for_health() -> None:
    assert all("healthcheck" in service for service in COMPOSE["services"].values())
