"""What a Redis, or one of its relatives, says it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.errors import EngineError, TooOld, WrongKind
from apps.engine.target import Target
from apps.servers.reads.records import Identity, Node

OLDEST = (6, 0)
MOST_NODES = 200


def identify(target: Target, *, fresh: bool) -> Identity:
    """See identity.identify."""
    with redis_node(target, fresh=fresh) as node:
        begun = time.monotonic()
        hello, whoami, info, size = node.pipeline([("HELLO", "2"), ("ACL", "WHOAMI"), ("INFO",), ("DBSIZE",)])
        took_s = time.monotonic() - begun
        facts = parse_info(info) if isinstance(info, bytes) else {}
        greeting = _greeting(hello)
        _check_is_redis(target, greeting, facts, hello)
        mode = facts.get("redis_mode") or greeting.get("mode", "standalone")
        cluster = node.pipeline([("CLUSTER", "NODES")])[0] if mode == "cluster" else None
        return _identity(node, target, facts, greeting, whoami, size, mode=mode, cluster=cluster, round_trip_s=took_s)


def parse_info(raw: bytes) -> dict[str, str]:
    """The lines of INFO by name. Later lines of a name count; sections and empty lines are left out."""
    lines = (line.partition(":") for line in raw.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in lines if colon}


def version_pair(text: str) -> tuple[int, int]:
    """`7.0.15` as (7, 0); what is no version as (0, 0)."""
    parts = text.removeprefix("v").split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        return 0, 0


def _greeting(hello: Any) -> dict[str, str]:
    """The reply of HELLO 2: names and values in turn."""
    if not isinstance(hello, list):
        return {}
    words = [w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in hello]
    return dict(zip(words[::2], words[1::2], strict=False))


def _check_is_redis(target: Target, greeting: Mapping[str, str], facts: Mapping[str, str], hello: Any) -> None:
    version = version_pair(facts.get("redis_version") or greeting.get("version", ""))
    if version == (0, 0) and isinstance(hello, EngineError):
        raise WrongKind(f"{target.address} speaks the Redis protocol and is no Redis: it knows neither HELLO nor INFO.")
    if (0, 0) < version < OLDEST:
        told = facts.get("redis_version") or greeting.get("version", "")
        raise TooOld(
            f"{target.address} runs Redis {told}; 6.0 is the oldest that is supported.", way_out="Upgrade the server."
        )


def _product(facts: Mapping[str, str], greeting: Mapping[str, str]) -> tuple[str, str]:
    """Name and version, by the fields that only the relatives have."""
    if "dragonfly_version" in facts:
        return "Dragonfly", facts["dragonfly_version"].removeprefix("df-")
    if "valkey_version" in facts or greeting.get("server") == "valkey":
        return "Valkey", facts.get("valkey_version") or greeting.get("version", "")
    version = facts.get("redis_version") or greeting.get("version", "")
    return ("KeyDB" if "mvcc_depth" in facts or "keydb" in facts.get("executable", "") else "Redis"), version


def _identity(
    node: RedisNode,
    target: Target,
    facts: Mapping[str, str],
    greeting: Mapping[str, str],
    whoami: Any,
    size: Any,
    *,
    mode: str,
    cluster: Any,
    round_trip_s: float,
) -> Identity:
    product, version = _product(facts, greeting)
    role = "sentinel" if mode == "sentinel" else _ROLES.get(facts.get("role") or greeting.get("role", ""), "")
    nodes = _cluster_nodes(cluster) if isinstance(cluster, bytes) else _replicas(facts)
    return Identity(
        address=target.address,
        product=product,
        version=version,
        major=version_pair(facts.get("redis_version") or greeting.get("version", "")),
        role=role,
        mode=mode,
        account=whoami.decode("utf-8", "replace") if isinstance(whoami, bytes) else target.username or "default",
        tls_version=node.tls_version,
        round_trip_s=round_trip_s,
        up_s=_number(facts, "uptime_in_seconds"),
        run_id=facts.get("run_id", ""),
        replicas_count=_number(facts, "connected_slaves"),
        keys_count=size if isinstance(size, int) else None,
        expiring_count=_expiring(facts, target.database) if facts else None,
        used_memory_bytes=_number(facts, "used_memory"),
        maxmemory_bytes=_number(facts, "maxmemory"),
        maxmemory_policy=facts.get("maxmemory_policy", ""),
        behind_s=_number(facts, "master_last_io_seconds_ago"),
        nodes=nodes,
        note=_note(mode, facts, nodes),
    )


_ROLES = {"master": "primary", "slave": "replica", "replica": "replica", "primary": "primary"}


def _number(facts: Mapping[str, str], name: str) -> int | None:
    try:
        return int(facts[name])
    except (KeyError, ValueError):
        return None


def _expiring(facts: Mapping[str, str], database: str) -> int:
    """How many keys of the database have a time to live: `db0:keys=3,expires=1,avg_ttl=0`."""
    return _number(_pairs(facts.get(f"db{database or 0}", "")), "expires") or 0


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)


def _note(mode: str, facts: Mapping[str, str], nodes: tuple[Node, ...]) -> str:
    if mode == "cluster":
        count = f"one of {len(nodes)}" if nodes else "one of several"
        return f"A cluster: reads are per node, and this node is {count}."
    if mode == "sentinel":
        return (
            f"A Sentinel that watches {facts.get('sentinel_masters', 'some')} primaries."
            " Register the address of a Redis that it watches."
        )
    if facts.get("master_host"):
        return f"A replica of {facts['master_host']}:{facts.get('master_port', '')}."
    return ""


def _replicas(facts: Mapping[str, str]) -> tuple[Node, ...]:
    """`slave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=0`, one line a replica."""
    end = _number(facts, "master_repl_offset")
    found = []
    for index in range(min(_number(facts, "connected_slaves") or 0, MOST_NODES)):
        told = _pairs(facts.get(f"slave{index}", ""))
        offset = _number(told, "offset")
        state = told.get("state", "")
        found.append(
            Node(
                name=f"{told.get('ip', '')}:{told.get('port', '')}",
                role="replica",
                state="in step" if state == "online" else state or "untold",
                is_well=state == "online",
                behind_bytes=max(end - offset, 0) if end is not None and offset is not None else None,
                lag_s=_number(told, "lag"),
            )
        )
    return tuple(found)


def _cluster_nodes(raw: bytes) -> tuple[Node, ...]:
    """`id ip:port@bus,host flags primary ping pong epoch link slots...`, one line a node."""
    found = []
    for line in raw.decode("utf-8", "replace").splitlines()[:MOST_NODES]:
        words = line.split()
        if len(words) < 8:
            continue
        flags = words[2].split(",")
        is_well = words[7] == "connected" and not {"fail", "fail?", "noaddr", "handshake"} & set(flags)
        found.append(
            Node(
                name=words[1].partition("@")[0],
                role="replica" if "slave" in flags else "primary",
                state=("this node" if "myself" in flags else "connected") if is_well else ",".join(flags),
                is_well=is_well,
            )
        )
    return tuple(found)
