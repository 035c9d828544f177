"""TLS with client certificates and SASL: the settings reach the brokers, and what is wrong is said without the password."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from aiops.errors import ConfigError, StoreUnavailable
from ingest.journal.kafka import open_kafka
from ingest.journal.kafka_settings import STATE, KafkaSettings, TopicPlan
from ingest.journal.seams import Delivered, Partition, Record, Snapshot
from servers.jars import ServerUnavailable
from servers.kafka_server import start
from servers.processes import free_port
from tests.support.kafka_server import unavailable

pytestmark = pytest.mark.integration
PLANS = {"logs": TopicPlan(1), STATE: TopicPlan(1, compacted=True)}
PASSWORD = "only-for-this-test-run"


@dataclass(frozen=True)
class Site:
    settings: KafkaSettings
    plain_port: int
    other_ca: Path


def _pem(cert: trustme.LeafCert, path: Path) -> Path:
    """Key and chain as a JVM reads them: PKCS #8, then the certificates."""
    key = serialization.load_pem_private_key(cert.private_key_pem.bytes(), None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(key + b"".join(pem.bytes() for pem in cert.cert_chain_pems))
    return path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("kafka-secure")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other-ca.pem")
    broker = _pem(authority.issue_cert("127.0.0.1", "localhost"), folder / "broker.pem")
    client = authority.issue_cert("aiops")
    client.private_key_pem.write_to_path(folder / "client-key.pem")
    for pem in client.cert_chain_pems:
        pem.write_to_path(folder / "client.pem", append=True)
    port, controller, secure_port = free_port(), free_port(), free_port()
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    listener = "listener.name.sasl_ssl"
    properties = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SASL_SSL://127.0.0.1:{secure_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secure_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        f"{listener}.ssl.keystore.type": "PEM",
        f"{listener}.ssl.keystore.location": str(broker),
        f"{listener}.ssl.truststore.type": "PEM",
        f"{listener}.ssl.truststore.location": str(folder / "ca.pem"),
        f"{listener}.ssl.client.auth": "required",
        f"{listener}.sasl.enabled.mechanisms": "PLAIN",
        f"{listener}.plain.sasl.jaas.config": f'{login} user_aiops="{PASSWORD}";',
    }
    try:
        server = start(folder / "home", port=port, controller=controller, properties=properties)
    except ServerUnavailable as exc:
        unavailable(exc)
    name = f"secure-{time.time_ns()}"
    settings = KafkaSettings(
        bootstrap=(f"127.0.0.1:{secure_port}",),
        prefix=f"{name}.",
        group=name,
        security_protocol="SASL_SSL",
        ca_file=folder / "ca.pem",
        cert_file=folder / "client.pem",
        key_file=folder / "client-key.pem",
        sasl_mechanism="PLAIN",
        user="aiops",
        password=PASSWORD,
        compression="zstd",
        connect_timeout_s=8.0,
    )
    yield Site(settings, port, folder / "other-ca.pem")
    server.kill()


def test_everything_goes_through_tls_and_sasl(secure: Site) -> None:
    site = open_kafka(secure.settings, topics=PLANS)
    site.journal.append([Record("logs", b"k", b"secret line " * 1_000)], timeout_s=20)
    site.snapshots.save(Partition("logs", 0), Snapshot(1, {"a": b"b"}))
    assert site.snapshots.load(Partition("logs", 0)) == Snapshot(1, {"a": b"b"})
    consumer = site.consumer(["logs"])
    found: list[Delivered] = []
    give_up = time.monotonic() + 30
    while not found and time.monotonic() < give_up:
        found += consumer.poll(timeout_s=0.5, max_bytes=100)
    assert [record.value for record in found] == [b"secret line " * 1_000]
    consumer.commit({found[0].partition: found[0].offset + 1})
    assert consumer.committed(found[0].partition) == found[0].offset + 1
    consumer.close()
    site.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "not the password"}, "see the user, the password and the rights of aiops"),
        ({"cert_file": None, "key_file": None}, "cannot see to the topics"),
        ({"ca_file": "other"}, "certificate verify failed"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "Kafka: no file /nowhere/ca.pem (see the settings of TLS)"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(
    secure: Site, wrong: dict[str, object], said: str
) -> None:
    if wrong.get("ca_file") == "other":
        wrong = {"ca_file": secure.other_ca}
    settings = dataclasses.replace(secure.settings, connect_timeout_s=3.0, **wrong)  # type: ignore[arg-type]
    with pytest.raises((StoreUnavailable, ConfigError)) as raised:
        open_kafka(settings, topics=PLANS)
    assert said in str(raised.value)
    assert str(settings.password) not in str(raised.value)


def test_the_password_is_in_no_repr(secure: Site) -> None:
    assert PASSWORD not in repr(secure.settings)
    assert secure.settings.connection()["sasl_plain_password"] == PASSWORD
