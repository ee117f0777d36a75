"""The figures of one Redis node: PING for the round trip, INFO for the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.errors import EngineError
from apps.engine.target import Kind, Target
from apps.history.info import number, pairs, parsed

ROLES = {"master": "primary", "slave": "replica"}
PRODUCTS = {"valkey": "Valkey", "dragonfly": "Dragonfly", "keydb": "KeyDB", "redis": "Redis"}


def read(target: Target) -> Mapping[str, Value]:
    """Shape: who the node is, its memory, traffic, persistence, replication and number of keys. Units: in the names.

    Cost: two round trips, about 0.5 ms of the server. Errors: those of redis_node; NotPermitted without +info.
    Source: PING, INFO.
    """
    with redis_node(target) as node:
        latency_s = _round_trip_s(node)
        info = parsed(node.command("INFO"))
    return {
        **_identity(info),
        **_memory(info),
        **_traffic(info),
        **_persistence(info),
        **_replication(info),
        **_keyspace(info),
        "latency_s": latency_s,
    }


def _round_trip_s(node: RedisNode) -> float | None:
    begun = time.perf_counter()
    reply = node.pipeline([("PING",)])[0]
    return None if isinstance(reply, EngineError) else time.perf_counter() - begun


def _identity(info: Mapping[str, str]) -> dict[str, Value]:
    product = next((p for p in ("valkey", "dragonfly", "keydb") if f"{p}_version" in info), "redis")
    return {
        "product": PRODUCTS[product],
        "version": info.get(f"{product}_version") or info.get("redis_version"),
        "role": ROLES.get(info.get("role", ""), info.get("role")),
        "run": info.get("run_id"),
        "up_s": number(info, "uptime_in_seconds"),
        "loading": number(info, "loading"),
    }


def _memory(info: Mapping[str, str]) -> dict[str, Value]:
    return {
        "used_memory_bytes": number(info, "used_memory"),
        "used_memory_peak_bytes": number(info, "used_memory_peak"),
        "used_memory_rss_bytes": number(info, "used_memory_rss"),
        "fragmentation_ratio": number(info, "mem_fragmentation_ratio"),
        "maxmemory_bytes": number(info, "maxmemory"),
        "eviction": info.get("maxmemory_policy"),
    }


def _traffic(info: Mapping[str, str]) -> dict[str, Value]:
    system_s, user_s = number(info, "used_cpu_sys"), number(info, "used_cpu_user")
    return {
        "commands_total": number(info, "total_commands_processed"),
        "hits_total": number(info, "keyspace_hits"),
        "misses_total": number(info, "keyspace_misses"),
        "evicted_total": number(info, "evicted_keys"),
        "expired_total": number(info, "expired_keys"),
        "connections_total": number(info, "total_connections_received"),
        "rejected_connections_total": number(info, "rejected_connections"),
        "net_in_total_bytes": number(info, "total_net_input_bytes"),
        "net_out_total_bytes": number(info, "total_net_output_bytes"),
        "cpu_total_s": None if system_s is None or user_s is None else system_s + user_s,
        "clients_count": number(info, "connected_clients"),
        "clients_max_count": number(info, "maxclients"),
        "blocked_clients_count": number(info, "blocked_clients"),
    }


def _persistence(info: Mapping[str, str]) -> dict[str, Value]:
    """`last_save_age_s` counts from the start where nothing was saved since; `last_fork_s` is None before the first fork."""
    appends = info.get("aof_enabled") == "1"
    forked_us = number(info, "latest_fork_usec")
    return {
        "save_status": info.get("rdb_last_bgsave_status"),
        "append_status": info.get("aof_last_write_status") if appends else None,
        "changes_since_save_count": number(info, "rdb_changes_since_last_save"),
        "last_save_age_s": _age_s(info, "rdb_last_save_time"),
        "last_fork_s": forked_us / 1e6 if forked_us else None,
        "append_file_bytes": number(info, "aof_current_size") if appends else None,
    }


def _age_s(info: Mapping[str, str], name: str) -> float | None:
    """By the server's own clock where it tells it (7.0), else by ours."""
    at_s, told_us = number(info, name), number(info, "server_time_usec")
    if at_s is None:
        return None
    return max(0.0, (time.time() if told_us is None else told_us / 1e6) - at_s)


def _replication(info: Mapping[str, str]) -> dict[str, Value]:
    """On a primary the slowest replica's last sign; on a replica the primary's. `link` is up or down, of a replica only."""
    always: dict[str, Value] = {
        "connected_replicas_count": number(info, "connected_slaves"),
        "replication_offset_bytes": number(info, "master_repl_offset"),
        "full_syncs_total": number(info, "sync_full"),
        "replication_id": info.get("master_replid"),
    }
    if info.get("role") == "slave":
        up = info.get("master_link_status") == "up"
        return always | {
            "link": info.get("master_link_status"),
            "link_down_s": number(info, "master_link_down_since_seconds"),
            "replica_lag_s": number(info, "master_last_io_seconds_ago") if up else None,
        }
    lags = [_replica_lag_s(value) for name, value in info.items() if name.startswith("slave") and name[5:].isdigit()]
    known = [lag for lag in lags if lag is not None and lag >= 0]
    return always | {"replica_lag_s": max(known, default=None)}


def _replica_lag_s(line: str) -> float | None:
    """`ip=10.0.0.2,port=6379,state=online,offset=14,lag=0` as 0.0."""
    return number(pairs(line), "lag")


def _keyspace(info: Mapping[str, str]) -> dict[str, Value]:
    """`db0:keys=12,expires=3,avg_ttl=0` summed over all databases; a server without keys has no such line."""
    databases = [pairs(value) for name, value in info.items() if name.startswith("db") and name[2:].isdigit()]
    keys_count = sum(number(each, "keys") or 0 for each in databases)
    expiring_count = sum(number(each, "expires") or 0 for each in databases)
    return {"keys_count": keys_count, "expiring_keys_ratio": expiring_count / keys_count if keys_count else None}


PROBE = Probe(
    key="redis_info",
    kind=Kind.REDIS,
    read=read,
    cost="two round trips, about 0.5 ms of the server",
    per_node=True,
    identity="run",
    rates={
        "ops_per_s": "commands_total",
        "evicted_per_s": "evicted_total",
        "expired_per_s": "expired_total",
        "connections_per_s": "connections_total",
        "rejected_connections_per_s": "rejected_connections_total",
        "net_in_bytes_per_s": "net_in_total_bytes",
        "net_out_bytes_per_s": "net_out_total_bytes",
        "cpu_ratio": "cpu_total_s",
        "full_syncs_per_s": "full_syncs_total",
    },
    shares={"hit_ratio": ("hits_total", "misses_total")},
)
