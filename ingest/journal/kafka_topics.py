"""The topics on the brokers: made where they are missing, refused where they are other than the settings say."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType

from aiops.errors import ConfigError
from ingest.journal.kafka_clients import connect
from ingest.journal.kafka_errors import translated
from ingest.journal.kafka_settings import KafkaSettings, TopicPlan


def ensure_topics(settings: KafkaSettings, plans: Mapping[str, TopicPlan]) -> None:
    """Make the topics of ``plans`` that are not there, and check those that are.

    Raises ConfigError that says which setting of which topic differs, and StoreUnavailable.
    """
    named = {settings.topic(name): plan for name, plan in plans.items()}
    what = "cannot see to the topics"
    admin = connect(settings, what, KafkaAdminClient, settings.connection())
    with translated(settings, what):
        try:
            found = _partitions(admin, list(named))
            missing = {name: plan for name, plan in named.items() if name not in found}
            if missing:
                _create(settings, admin, missing)
                found = _partitions(admin, list(named))
            configs = _configs(admin, list(named))
        finally:
            admin.close()
    for name, plan in named.items():
        _check(settings, name, plan, found.get(name, 0), configs.get(name, {}))


def _create(settings: KafkaSettings, admin: KafkaAdminClient, plans: Mapping[str, TopicPlan]) -> None:
    wanted = {
        name: {
            "num_partitions": plan.partitions,
            "replication_factor": plan.replication,
            "configs": plan.configs(settings.max_record_bytes),
        }
        for name, plan in plans.items()
    }
    try:
        admin.create_topics(wanted)
    except errors.TopicAlreadyExistsError:  # another process was faster; what it made is checked
        for name, topic in wanted.items():
            try:
                admin.create_topics({name: topic})
            except errors.TopicAlreadyExistsError:
                continue
    admin.wait_for_topics(list(wanted), timeout_ms=int(settings.request_timeout_s * 1000))


def _partitions(admin: KafkaAdminClient, names: list[str]) -> dict[str, int]:
    return {
        topic["name"]: len(topic["partitions"])
        for topic in admin.describe_topics(names)
        if not topic["error_code"]
    }


def _configs(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        topic: {key: str(config["value"]) for key, config in configs.items()}
        for topic, configs in described.items()
    }


def _check(
    settings: KafkaSettings, name: str, plan: TopicPlan, partitions: int, configs: Mapping[str, str]
) -> None:
    wanted = plan.configs(settings.max_record_bytes)
    if partitions != plan.partitions:
        raise _differs(name, "partitions", partitions, plan.partitions)
    if configs.get("cleanup.policy") != wanted["cleanup.policy"]:
        raise _differs(name, "cleanup.policy", configs.get("cleanup.policy"), wanted["cleanup.policy"])
    if int(configs.get("max.message.bytes", 0)) < int(wanted["max.message.bytes"]):
        raise _differs(
            name, "max.message.bytes", configs.get("max.message.bytes"), wanted["max.message.bytes"]
        )
    if not plan.compacted and 0 <= int(configs.get("retention.ms", -1)) < plan.retention_s * 1000:
        raise _differs(name, "retention.ms", configs.get("retention.ms"), wanted["retention.ms"])


def _differs(topic: str, setting: str, found: object, wanted: object) -> ConfigError:
    return ConfigError(
        f"topic {topic} of Kafka has {setting} = {found}, the configuration says {wanted}",
        hint="make them agree: change the configuration, or the topic with kafka-configs or kafka-topics",
        topic=topic,
        setting=setting,
    )
