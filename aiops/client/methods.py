"""Every operation as a method, in both flavours. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from aiops.client.binding import awaited, blocking, paged, paged_async
from aiops.client.operations import (
    alerts,
    analyses,
    audit,
    deliveries,
    entities,
    incidents,
    maintenance,
    operations,
    rules,
    tokens,
    topology,
)


class BlockingMethods:
    """Methods that block."""

    get_health = blocking(operations.get_health)
    get_healthy = blocking(operations.get_healthy)
    get_ready = blocking(operations.get_ready)
    get_ready_plain = blocking(operations.get_ready_plain)
    get_metrics = blocking(operations.get_metrics)
    get_version = blocking(operations.get_version)
    get_stats = blocking(operations.get_stats)
    list_sources = blocking(operations.list_sources)
    post_webhook = blocking(deliveries.post_webhook)
    post_v2_alerts = blocking(deliveries.post_v2_alerts)
    list_v2_alerts = blocking(alerts.list_v2_alerts)
    post_remote_write = blocking(deliveries.post_remote_write)
    post_otlp_logs = blocking(deliveries.post_otlp_logs)
    post_otlp_metrics = blocking(deliveries.post_otlp_metrics)
    post_cloudevents = blocking(deliveries.post_cloudevents)
    post_lines = blocking(deliveries.post_lines)
    get_status = blocking(deliveries.get_status)
    post_change = blocking(deliveries.post_change)
    post_incident = blocking(incidents.post_incident)
    list_incidents = blocking(incidents.list_incidents)
    iter_incidents = paged(incidents.list_incidents)
    get_incident = blocking(incidents.get_incident)
    patch_incident = blocking(incidents.patch_incident)
    get_analysis = blocking(analyses.get_analysis)
    get_analysis_as = blocking(analyses.get_analysis_as)
    post_analysis = blocking(analyses.post_analysis)
    import_topology = blocking(topology.import_topology)
    import_netbox = blocking(topology.import_netbox)
    export_topology = blocking(topology.export_topology)
    list_entities = blocking(entities.list_entities)
    iter_entities = paged(entities.list_entities)
    resolve_entities = blocking(entities.resolve_entities)
    list_unmatched = blocking(entities.list_unmatched)
    get_neighbours = blocking(entities.get_neighbours)
    get_impact = blocking(entities.get_impact)
    get_alerts_of = blocking(entities.get_alerts_of)
    get_entity = blocking(entities.get_entity)
    list_alerts = blocking(alerts.list_alerts)
    iter_alerts = paged(alerts.list_alerts)
    list_maintenance = blocking(maintenance.list_maintenance)
    post_maintenance = blocking(maintenance.post_maintenance)
    end_maintenance = blocking(maintenance.end_maintenance)
    list_rules = blocking(rules.list_rules)
    put_rules = blocking(rules.put_rules)
    get_pack = blocking(rules.get_pack)
    delete_pack = blocking(rules.delete_pack)
    validate_rules = blocking(rules.validate_rules)
    backtest_rules = blocking(rules.backtest_rules)
    list_tokens = blocking(tokens.list_tokens)
    post_token = blocking(tokens.post_token)
    delete_token = blocking(tokens.delete_token)
    list_audit = blocking(audit.list_audit)
    iter_audit = paged(audit.list_audit)


class AsyncMethods:
    """Methods whose answers are awaited."""

    get_health = awaited(operations.get_health)
    get_healthy = awaited(operations.get_healthy)
    get_ready = awaited(operations.get_ready)
    get_ready_plain = awaited(operations.get_ready_plain)
    get_metrics = awaited(operations.get_metrics)
    get_version = awaited(operations.get_version)
    get_stats = awaited(operations.get_stats)
    list_sources = awaited(operations.list_sources)
    post_webhook = awaited(deliveries.post_webhook)
    post_v2_alerts = awaited(deliveries.post_v2_alerts)
    list_v2_alerts = awaited(alerts.list_v2_alerts)
    post_remote_write = awaited(deliveries.post_remote_write)
    post_otlp_logs = awaited(deliveries.post_otlp_logs)
    post_otlp_metrics = awaited(deliveries.post_otlp_metrics)
    post_cloudevents = awaited(deliveries.post_cloudevents)
    post_lines = awaited(deliveries.post_lines)
    get_status = awaited(deliveries.get_status)
    post_change = awaited(deliveries.post_change)
    post_incident = awaited(incidents.post_incident)
    list_incidents = awaited(incidents.list_incidents)
    iter_incidents = paged_async(incidents.list_incidents)
    get_incident = awaited(incidents.get_incident)
    patch_incident = awaited(incidents.patch_incident)
    get_analysis = awaited(analyses.get_analysis)
    get_analysis_as = awaited(analyses.get_analysis_as)
    post_analysis = awaited(analyses.post_analysis)
    import_topology = awaited(topology.import_topology)
    import_netbox = awaited(topology.import_netbox)
    export_topology = awaited(topology.export_topology)
    list_entities = awaited(entities.list_entities)
    iter_entities = paged_async(entities.list_entities)
    resolve_entities = awaited(entities.resolve_entities)
    list_unmatched = awaited(entities.list_unmatched)
    get_neighbours = awaited(entities.get_neighbours)
    get_impact = awaited(entities.get_impact)
    get_alerts_of = awaited(entities.get_alerts_of)
    get_entity = awaited(entities.get_entity)
    list_alerts = awaited(alerts.list_alerts)
    iter_alerts = paged_async(alerts.list_alerts)
    list_maintenance = awaited(maintenance.list_maintenance)
    post_maintenance = awaited(maintenance.post_maintenance)
    end_maintenance = awaited(maintenance.end_maintenance)
    list_rules = awaited(rules.list_rules)
    put_rules = awaited(rules.put_rules)
    get_pack = awaited(rules.get_pack)
    delete_pack = awaited(rules.delete_pack)
    validate_rules = awaited(rules.validate_rules)
    backtest_rules = awaited(rules.backtest_rules)
    list_tokens = awaited(tokens.list_tokens)
    post_token = awaited(tokens.post_token)
    delete_token = awaited(tokens.delete_token)
    list_audit = awaited(audit.list_audit)
    iter_audit = paged_async(audit.list_audit)
