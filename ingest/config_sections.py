"""What sections of ``aiops.yaml`` are made of, and those that several others hold: TLS, SASL, HTTP access, a Kafka cluster.

A key whose field names a ``setting`` is the same thing as that setting of the product (``store.neo4j.uri`` is
``AIOPS_NEO4J_URI``): its default and its type are kept there, in one place. Secrets are named by file (``password_file``) or
come from the environment; a field marked ``environment`` cannot be written in the file.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from ingest.config_values import FilePath, Texts

SETTING = "setting"
ENVIRONMENT = "environment"


def setting(name: str, text: str) -> Any:  # Any: a field's default is whatever its annotation says
    """A key that is the product's setting ``name``; None: as that setting says."""
    return Field(None, description=text, json_schema_extra={SETTING: name})


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def section(kind: type[Section], text: str) -> Any:  # Any: as above
    """A section that is there with its defaults where the file does not name it."""
    return Field(default_factory=lambda: kind.model_validate({}), description=text)


class Tls(Section):
    """TLS towards a server."""

    ca: FilePath | None = Field(None, description="certificates to trust (PEM); default those of the system")
    certificate: FilePath | None = Field(None, description="client certificate (PEM)")
    key: FilePath | None = Field(None, description="its private key (PEM)")
    verify_host: bool = Field(True, description="the server's certificate must name the host")


class Sasl(Section):
    """SASL towards Kafka."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    username: str = Field("", description="user of Kafka")
    password_file: FilePath | None = Field(None, description="file that holds the password and nothing else")
    password: SecretStr | None = Field(
        None, description="the password; by the environment only", json_schema_extra={ENVIRONMENT: True}
    )

    @model_validator(mode="after")
    def _one_secret(self) -> Sasl:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give the password by password_file or by the environment, not both")
        return self


class Access(Tls):
    """How a server is reached over HTTP."""

    username: str | None = Field(None, description="for basic authentication")
    password_file: FilePath | None = Field(None, description="file that holds the password for it")
    token_file: FilePath | None = Field(None, description="file that holds a bearer token")

    @model_validator(mode="after")
    def _whole(self) -> Access:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate needs its key, and a key its certificate")
        if (self.username is None) != (self.password_file is None):
            raise ValueError("basic authentication needs username and password_file")
        if self.username is not None and self.token_file is not None:
            raise ValueError("either basic authentication or a bearer token, not both")
        return self


class KafkaClient(Section):
    """How a Kafka cluster is reached."""

    servers: Texts = Field(("127.0.0.1:9092",), description="HOST:PORT of some brokers", min_length=1)
    tls: Tls | None = Field(None, description="where given, connections are encrypted")
    sasl: Sasl | None = Field(None, description="where given, we log in")
