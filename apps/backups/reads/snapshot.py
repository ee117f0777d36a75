"""What a snapshot would cost a Redis, and what stands in its way, from INFO alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.engine.connections.redis import redis_node
from apps.engine.errors import EngineError
from apps.engine.target import Target
from apps.servers.reads.redis_identity import parse_info

NO_ACTIVE_REPLICA_BUFFER = (7, 0)  # from here on a replica that wants an RDB alone is sent nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """`fork_us` is that of the last fork, None where there was none. `has_psync` None where the account may not ask."""

    product: str
    version: str
    role: str
    link_is_down: bool
    keys_count: int
    used_bytes: int
    dataset_bytes: int
    maxmemory_bytes: int
    machine_bytes: int
    fork_us: int | None
    cow_bytes: int
    last_save_s: int
    is_loading: bool
    is_saving: bool
    is_rewriting: bool
    in_cluster: bool
    has_psync: bool | None

    @property
    def version_text(self) -> str:
        return f"{self.product} {self.version}"

    @property
    def keeps_writes_for_us(self) -> bool:
        parts = tuple(int(part) for part in self.version.split(".")[:2] if part.isdigit())
        return self.product == "Redis" and parts < NO_ACTIVE_REPLICA_BUFFER


def snapshot_facts(target: Target) -> SnapshotFacts:
    """Shape: one record. Units: bytes, µs, s. Cost: two commands. Errors: those of redis_node, NotPermitted. Source: INFO, COMMAND INFO."""
    with redis_node(target) as node:
        info, psync = node.pipeline([("INFO",), ("COMMAND", "INFO", "PSYNC")])
    if isinstance(info, EngineError):
        raise info
    known = parse_info(info)
    return SnapshotFacts(
        product="Valkey" if "valkey_version" in known else "Redis",
        version=known.get("valkey_version") or known.get("redis_version", ""),
        role=known.get("role", ""),
        link_is_down=known.get("role") == "slave" and known.get("master_link_status") != "up",
        keys_count=_keys_count(known),
        used_bytes=_number(known, "used_memory"),
        dataset_bytes=_number(known, "used_memory_dataset"),
        maxmemory_bytes=_number(known, "maxmemory"),
        machine_bytes=_number(known, "total_system_memory"),
        fork_us=_number(known, "latest_fork_usec") or None,
        cow_bytes=_number(known, "rdb_last_cow_size"),
        last_save_s=_number(known, "rdb_last_bgsave_time_sec"),
        is_loading=known.get("loading") == "1",
        is_saving=known.get("rdb_bgsave_in_progress") == "1",
        is_rewriting=known.get("aof_rewrite_in_progress") == "1",
        in_cluster=known.get("cluster_enabled") == "1",
        has_psync=None if isinstance(psync, EngineError) else bool(psync and psync[0]),
    )


def _number(known: Mapping[str, str], name: str) -> int:
    text = known.get(name, "")
    return int(text) if text.lstrip("-").isdigit() and int(text) > 0 else 0


def _keys_count(known: Mapping[str, str]) -> int:
    """Of all databases: db0:keys=12,expires=3,avg_ttl=0"""
    spaces = (value for name, value in known.items() if name.startswith("db") and name[2:].isdigit())
    return sum(int(value.split("keys=")[1].split(",")[0]) for value in spaces if "keys=" in value)
