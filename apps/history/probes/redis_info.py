"""The figures of one Redis node: PING for the round trip, INFO for the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.errors import EngineError
from apps.engine.target import Kind, Target

ROLES = {"master": "primary", "slave": "replica"}
PRODUCTS = {"valkey": "Valkey", "dragonfly": "Dragonfly", "keydb": "KeyDB", "redis": "Redis"}


def read(target: Target) -> Mapping[str, Value]:
    """Shape: figures of apps.history.models.LastKnown. Units: in the names. Cost: two round trips, about 0.5 ms of the server.

    Errors: those of redis_node; NotPermitted without +info. Source: PING, INFO.
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
        "latency_s": latency_s,
        "keys_count": _keys_count(info),
    }


def _round_trip_s(node: RedisNode) -> float | None:
    begun = time.perf_counter()
    reply = node.pipeline([("PING",)])[0]
    return None if isinstance(reply, EngineError) else time.perf_counter() - begun


def parsed(reply: bytes) -> dict[str, str]:
    """INFO as a dictionary; headings and blank lines left out."""
    lines = reply.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def number(info: Mapping[str, str], name: str) -> float | None:
    try:
        return float(info[name])
    except (KeyError, ValueError):
        return None


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
        "maxmemory_bytes": number(info, "maxmemory"),
        "eviction": info.get("maxmemory_policy"),
    }


def _traffic(info: Mapping[str, str]) -> dict[str, Value]:
    return {
        "commands_total": number(info, "total_commands_processed"),
        "hits_total": number(info, "keyspace_hits"),
        "misses_total": number(info, "keyspace_misses"),
        "clients_count": number(info, "connected_clients"),
        "clients_max_count": number(info, "maxclients"),
    }


def _persistence(info: Mapping[str, str]) -> dict[str, Value]:
    return {
        "save_status": info.get("rdb_last_bgsave_status"),
        "append_status": info.get("aof_last_write_status") if info.get("aof_enabled") == "1" else None,
    }


def _replication(info: Mapping[str, str]) -> dict[str, Value]:
    """On a primary the slowest replica's last sign; on a replica the primary's. `link` is up or down, of a replica only."""
    if info.get("role") == "slave":
        return {
            "link": info.get("master_link_status"),
            "link_down_s": number(info, "master_link_down_since_seconds"),
            "replica_lag_s": number(info, "master_last_io_seconds_ago")
            if info.get("master_link_status") == "up"
            else None,
            "connected_replicas_count": number(info, "connected_slaves"),
        }
    lags = [_replica_lag_s(value) for name, value in info.items() if name.startswith("slave") and name[5:].isdigit()]
    known = [lag for lag in lags if lag is not None and lag >= 0]
    return {
        "connected_replicas_count": number(info, "connected_slaves"),
        "replica_lag_s": max(known, default=None),
    }


def _replica_lag_s(line: str) -> float | None:
    """`ip=10.0.0.2,port=6379,state=online,offset=14,lag=0` as 0.0."""
    return number(dict(pair.split("=", 1) for pair in line.split(",") if "=" in pair), "lag")


def _keys_count(info: Mapping[str, str]) -> float:
    """`db0:keys=12,expires=3,avg_ttl=0` summed over all databases; a server without keys has no such line."""
    lines = [value for name, value in info.items() if name.startswith("db") and name[2:].isdigit()]
    return sum(float(line.split(",", 1)[0].removeprefix("keys=")) for line in lines)


PROBE = Probe(
    key="redis_info",
    kind=Kind.REDIS,
    read=read,
    cost="two round trips, about 0.5 ms of the server",
    identity="run",
    rates={"ops_per_s": "commands_total"},
    shares={"hit_ratio": ("hits_total", "misses_total")},
)
