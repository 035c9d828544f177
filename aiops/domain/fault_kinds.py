"""The vocabulary of fault kinds: what can be wrong, in the words that the field uses.

Kubernetes kinds follow the published taxonomy of cluster faults, injected ones the actions of chaos tools (``pod-kill``,
``network-loss``), network ones what router logs and fabrics call them; the rest are our own. Packs that ship use no kind
that is not here; packs of a site may. A **general** kind says how it looks (a crash loop, a failed probe); any other kind
that a rule found beside it says why and goes first.
"""

from __future__ import annotations

from collections.abc import Mapping

#: By family: kinds that say what is wrong.
SPECIFIC: Mapping[str, tuple[str, ...]] = {
    "admission": (
        *("namespace_cpu_quota_exceeded", "namespace_memory_quota_exceeded", "namespace_pod_quota_exceeded"),
        *("namespace_service_quota_exceeded", "namespace_storage_quota_exceeded", "missing_service_account"),
        *("limit_range_violated", "rbac_forbidden", "admission_webhook_failed"),
        *("missing_secret_binding", "missing_configmap"),
    ),
    "scheduling": (
        *(
            "node_cordon_mismatch",
            "node_affinity_mismatch",
            "node_selector_mismatch",
            "pod_anti_affinity_conflict",
        ),
        *("taint_toleration_mismatch", "cpu_capacity_mismatch", "memory_capacity_mismatch"),
        *("topology_spread_conflict", "insufficient_resources", "node_cordoned"),
        *("pvc_selector_mismatch", "pvc_storage_class_mismatch", "pvc_capacity_mismatch"),
        *("pvc_access_mode_mismatch", "pv_binding_occupied"),
    ),
    "startup": (
        *("incorrect_image_reference", "image_registry_dns_failure", "missing_image_pull_secret"),
        *("image_registry_unreachable", "image_pull_rate_limited", "volume_mount_permission_denied"),
        *("container_command_invalid", "init_container_failed", "deployment_zero_replicas"),
    ),
    "runtime": (
        *("oom_killed", "liveness_probe_incorrect_protocol", "liveness_probe_incorrect_port"),
        *(
            "liveness_probe_incorrect_timing",
            "readiness_probe_incorrect_protocol",
            "readiness_probe_incorrect_port",
        ),
        *("startup_probe_incorrect_port", "startup_probe_incorrect_timing", "service_sidecar_port_conflict"),
    ),
    "service routing": (
        *("service_selector_mismatch", "service_port_mapping_mismatch", "service_protocol_mismatch"),
        *(
            "service_env_var_address_mismatch",
            "service_dns_resolution_failure",
            "gateway_misrouted",
            "network_policy",
        ),
    ),
    "nodes": (
        *(
            "kubelet_unavailable",
            "containerd_unavailable",
            "kube_proxy_unavailable",
            "kube_scheduler_unavailable",
        ),
        *("kube_controller_manager_unavailable", "kube_apiserver_unavailable", "etcd_unavailable"),
        *("cni_unavailable", "control_plane_leader_lost", "node_network_delay", "node_network_packet_loss"),
        "node_pressure",
    ),
    "performance": (
        *(
            "pod_cpu_overload",
            "pod_network_delay",
            "cpu",
            "memory",
            "network-delay",
            "network-loss",
            "network-corrupt",
        ),
        *("pod-kill", "pod-failure", "disk", "memory_anomalies", "cpu_contention", "exception", "return"),
        *("login failure", "file moving program"),
    ),
    "databases": (
        *(
            "db_down",
            "mysql_invalid_credentials",
            "mysql_invalid_port",
            "db_readonly_mode",
            "db_connection_exhaustion",
        ),
        *("invalid_credentials", "lock_contention", "replication_lag", "disk_full", "checkpoint_pressure"),
        *(
            "data_corruption",
            "schema_mismatch",
            "transaction_id_wraparound",
            "db_out_of_memory",
            "slow_queries",
        ),
        *("split_brain", "log_retention_full"),
    ),
    "caches and brokers": (
        *("cache_refusing", "cache_memory_full", "consumer_lag", "broker_degraded", "broker_disk_full"),
        *(
            "broker_memory_alarm",
            "offline_partition",
            "consumer_rebalance",
            "message_too_large",
            "topic_missing",
        ),
        *("coordination_lost", "dead_letter_growth"),
    ),
    "proxies": (
        *(
            "config_error",
            "config_change",
            "upstream_down",
            "proxy_worker_limit",
            "request_too_large",
            "rate_limited",
        ),
        *("certificate_invalid", "circuit_open"),
    ),
    "network": (
        *("fiber_pulled", "transceiver_removed", "admin_down", "interface_shutdown", "bgp_clear"),
        *("bfd_session_broken", "blackhole", "link_flapping", "optics_degraded", "duplex_mismatch"),
        *(
            "lacp_member_lost",
            "layer2_loop",
            "stp_change",
            "link_congested",
            "device_rebooted",
            "power_failure",
        ),
        *("bgp_misconfigured", "traffic_blocked", "mtu_mismatch", "address_conflict", "route_limit_exceeded"),
        *("control_plane_policed", "line_card_failed", "overheating", "ospf_mismatch", "dhcp_exhausted"),
        *("vpn_down", "table_overflow", "err_disabled"),
    ),
    "hosts": (
        *(
            "oom_kill",
            "filesystem_read_only",
            "disk_io_error",
            "swap_storm",
            "service_crashed",
            "service_stopped",
        ),
        *("clock_skew", "fd_exhausted", "conntrack_full", "file_server_unresponsive", "kernel_panic"),
        *(
            "kernel_stall",
            "hardware_error",
            "inode_exhausted",
            "pid_exhausted",
            "port_exhausted",
            "raid_degraded",
        ),
        *("thermal_throttling", "nic_reset"),
        *("address_in_use", "library_missing", "permission_denied"),
    ),
    "applications": (
        *("pool_exhausted", "heap_exhausted", "garbage_collection", "deployment_failed"),
        "dependency_rate_limited",
    ),
}
#: Kinds that say how it looks. They give way to any specific kind.
GENERAL: frozenset[str] = frozenset(
    {
        *("crash_loop", "unschedulable", "image_pull_failed", "volume_claim_pending", "volume_mount_failed"),
        *("missing_configuration", "quota_exceeded", "readiness_probe_failed", "liveness_probe_failed"),
        *(
            "service_unreachable",
            "node_not_ready",
            "pod_evicted",
            "unavailable",
            "probe_failed",
            "dns_failure",
        ),
        *(
            "connection_refused",
            "peer_timeout",
            "routing_adjacency_lost",
            "bfd_down",
            "link_down",
            "packet_loss",
        ),
        *("shared_parent_down", "latency", "errors", "traffic", "saturation", "availability", "log", "state"),
        *("network", "change", "self_time", "overhead", "other"),
    }
)
KINDS: frozenset[str] = GENERAL | {kind for kinds in SPECIFIC.values() for kind in kinds}


def is_general(kind: str) -> bool:
    """Whether ``kind`` only says how it looks."""
    return kind in GENERAL


def normalise_kind(kind: str) -> str:
    """One spelling: lower case, hyphens and spaces as underscores. ``network-delay`` and ``Network Delay`` are one kind."""
    return "_".join(kind.lower().replace("-", " ").replace("_", " ").split())
