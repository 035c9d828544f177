"""What can be held without a container engine: nothing listens beyond loopback, no secret has a default, every service heals, and
every configuration that is mounted passes the judgement of the program that reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.daemons import missing, need

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = {"kafka", "neo4j", "prometheus", "alertmanager", "rsyslog", "ingest", "api"}


def mounts() -> dict[str, Path]:
    """Every file or folder of ours that a service mounts, by where it is mounted."""
    found = {}
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            if source.startswith("."):
                found[target] = ROOT / source
    return found


def test_every_part_is_there() -> None:
    assert set(COMPOSE["services"]) == SERVICES


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


def test_no_password_is_written_anywhere() -> None:
    for path in (ROOT / "docker-compose.yml", *(p for p in (ROOT / "deploy").rglob("*") if p.is_file())):
        for line in path.read_text(encoding="utf-8").splitlines():
            code = line.partition("#")[0]
            found = re.search(r"(?i)(password|passwd|secret|token|credentials)\w*\s*[:=]\s*(\S+)", code)
            if found and not found[2].startswith(("/run/secrets/", "[", "{", "./secrets")):
                pytest.fail(f"{path.name}: {line.strip()}")


def test_every_secret_that_a_configuration_reads_is_given_to_its_service() -> None:
    for name, service in COMPOSE["services"].items():
        files = [ROOT / v.split(":")[0] for v in service.get("volumes", []) if v.startswith(".")]
        read = {
            secret
            for file in files
            for secret in re.findall(r"/run/secrets/(\w+)", file.read_text(encoding="utf-8"))
        }
        assert read <= set(service.get("secrets", [])), name


def test_every_service_is_checked_for_health_and_comes_back() -> None:
    for name, service in COMPOSE["services"].items():
        check = service["healthcheck"]
        assert {"test", "interval", "timeout", "retries"} <= set(check), name
        assert service["restart"] == "unless-stopped", name


def test_volumes_and_mounted_files_exist() -> None:
    assert all(path.exists() for path in mounts().values()), mounts()
    for service in COMPOSE["services"].values():
        named = {v.split(":")[0] for v in service.get("volumes", []) if not v.startswith(".")}
        assert named <= set(COMPOSE["volumes"])
        if "build" in service:
            assert (ROOT / service["build"] / "Dockerfile").exists()


def judged(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_its_configuration_and_rules() -> None:
    program = need("promtool")
    judged(program, "check", "config", "--syntax-only", str(mounts()["/etc/prometheus/prometheus.yml"]))
    judged(program, "check", "rules", str(mounts()["/etc/prometheus/rules.yml"]))


def test_alertmanager_accepts_its_configuration() -> None:
    judged(need("amtool"), "check-config", str(mounts()["/etc/alertmanager/alertmanager.yml"]))


def test_rsyslog_accepts_its_configuration() -> None:
    judged(need("rsyslogd"), "-N1", "-f", str(mounts()["/etc/rsyslog.conf"]))


def test_the_daemon_accepts_its_configuration() -> None:
    config = str(mounts()["/etc/aiops/aiops.yaml"])
    judged(sys.executable, "-m", "aiops", "config", "check", "-c", config, "--skip-files")


def test_the_unit_is_sound() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze is not installed")
    judged(program, "verify", "--man=no", str(ROOT / "deploy" / "aiops-ingest.service"))
