"""One Redis node at a glance: INFO in a form that can be said in sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.engine.connections.redis import RedisNode, Reply, redis_node
from apps.engine.errors import EngineError
from apps.engine.target import Address, Target
from apps.upkeep.reads.info import Info, parse_info
from apps.upkeep.reads.memory import Memory, memory_of
from apps.upkeep.reads.persistence import Persistence, persistence_of
from apps.upkeep.reads.remark import Remark, ranked

REPLICA_LAG_S = 10
TEXT_MOST = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    flavour: str
    version: str | None
    mode: str | None
    uptime_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    connected_count: int | None
    blocked_count: int | None
    limit_count: int | None
    refused_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counters since the server's start, or since somebody ran CONFIG RESETSTAT. Rates are of this moment."""

    commands_count: int | None
    commands_per_s: int | None
    hit_count: int | None
    miss_count: int | None
    expired_count: int | None
    overdue_ratio: float | None
    evicted_count: int | None

    @property
    def hit_ratio(self) -> float | None:
        """None before the first look-up: a share of nothing is unknown."""
        if self.hit_count is None or self.miss_count is None or self.hit_count + self.miss_count == 0:
            return None
        return self.hit_count / (self.hit_count + self.miss_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCount:
    """One logical database. `ttl_s` is the server's own average over the keys that expire."""

    database: int
    key_count: int
    expiring_count: int | None
    ttl_s: float | None

    @property
    def expiring_ratio(self) -> float | None:
        return self.expiring_count / self.key_count if self.expiring_count is not None and self.key_count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    address: str
    state: str | None
    lag_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    role: str | None
    primary: str | None
    link: str | None
    link_down_s: int | None
    silent_s: int | None
    replicas: tuple[Replica, ...]

    def remarks(self) -> tuple[Remark, ...]:
        found = []
        if self.role == "slave" and self.link not in (None, "up"):
            found.append(
                Remark(signal="crit", short="the link to its primary is down", why=f"Primary: {self.primary}.")
            )
        for replica in self.replicas:
            if replica.lag_s is not None and replica.lag_s > REPLICA_LAG_S:
                short = f"a replica is {replica.lag_s} s behind"
                found.append(
                    Remark(signal="crit", short=short, why=f"{replica.address}, {replica.state or 'unknown'}.")
                )
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisNodeState:
    """Everything of one node. `sent_count` says what reading it cost."""

    address: Address
    identity: Identity
    memory: Memory
    persistence: Persistence
    clients: Clients
    stats: Stats
    keys: tuple[KeyCount, ...]
    replication: Replication
    sent_count: int

    def remarks(self, roles: frozenset[str]) -> tuple[Remark, ...]:
        """What is worth saying, worst first. `roles` are what the server is registered for."""
        found = [*self.memory.remarks(), *self.persistence.remarks(roles), *self.replication.remarks()]
        if self.clients.refused_count:
            short = f"{self.clients.refused_count:,} connections were refused"
            found.append(Remark(signal="warn", short=short, why="maxclients was reached since the server's start."))
        return ranked(found)


def reach(target: Target, *, address: Address | None = None) -> None:
    """Connect, and keep the connection for the questions that follow. Cost: nothing where one is idle.

    Errors: those of redis_node. Source: no command.
    """
    with redis_node(target, address=address):
        pass


def node_state(target: Target, *, address: Address | None = None) -> RedisNodeState:
    """The state of one node, in words' reach.

    Shape: one RedisNodeState; a field that this version does not give is None. Units: in the names.
    Cost: INFO and two CONFIG GET in one round trip, below a millisecond for the server.
    Errors: those of redis_node; NotPermitted without +info. A refused CONFIG GET leaves save points and fsync unknown.
    Source: INFO, CONFIG GET save, CONFIG GET appendfsync.
    """
    with redis_node(target, address=address) as node:
        info, saves, fsync = node.pipeline([("INFO",), ("CONFIG", "GET", "save"), ("CONFIG", "GET", "appendfsync")])
        if isinstance(info, EngineError):
            raise info
        return _state(node, parse_info(info), saves=config_value(saves), fsync=config_value(fsync))


def config_value(reply: Reply | EngineError) -> str | None:
    """The value of a one-name CONFIG GET: None when it was refused or the server knows no such setting."""
    if isinstance(reply, EngineError) or not reply or len(reply) < 2:
        return None
    return bytes(reply[1]).decode("utf-8", "replace")


def _state(node: RedisNode, info: Info, *, saves: str | None, fsync: str | None) -> RedisNodeState:
    return RedisNodeState(
        address=node.address,
        identity=_identity(info),
        memory=memory_of(info),
        persistence=persistence_of(info, saves=saves, fsync=fsync),
        clients=Clients(
            connected_count=info.number("connected_clients"),
            blocked_count=info.number("blocked_clients"),
            limit_count=info.number("maxclients"),
            refused_count=info.number("rejected_connections"),
        ),
        stats=_stats(info),
        keys=_keys(info),
        replication=_replication(info),
        sent_count=node.sent,
    )


def _identity(info: Info) -> Identity:
    forks = {"valkey_version": "Valkey", "dragonfly_version": "Dragonfly", "garnet_version": "Garnet"}
    field, flavour = next(((f, name) for f, name in forks.items() if info.text(f)), ("redis_version", "Redis"))
    return Identity(
        flavour=flavour,
        version=info.text(field),
        mode=info.text("redis_mode") or info.text("server_mode"),
        uptime_s=info.number("uptime_in_seconds"),
    )


def _stats(info: Info) -> Stats:
    overdue = info.ratio("expired_stale_perc")
    return Stats(
        commands_count=info.number("total_commands_processed"),
        commands_per_s=info.number("instantaneous_ops_per_sec"),
        hit_count=info.number("keyspace_hits"),
        miss_count=info.number("keyspace_misses"),
        expired_count=info.number("expired_keys"),
        overdue_ratio=None if overdue is None else overdue / 100,
        evicted_count=info.number("evicted_keys"),
    )


def _keys(info: Info) -> tuple[KeyCount, ...]:
    found = []
    for name in info.fields:
        matched = re.fullmatch(r"db(\d+)", name)
        pairs = info.pairs(name)
        if matched and pairs.get("keys", "").isdigit():
            ttl_ms = int(pairs["avg_ttl"]) if pairs.get("avg_ttl", "").isdigit() else 0
            expiring = int(pairs["expires"]) if pairs.get("expires", "").isdigit() else None
            found.append(
                KeyCount(
                    database=int(matched[1]),
                    key_count=int(pairs["keys"]),
                    expiring_count=expiring,
                    ttl_s=ttl_ms / 1000 if ttl_ms else None,
                )
            )
    return tuple(sorted(found, key=lambda each: each.database))


def _replication(info: Info) -> Replication:
    host, port = info.text("master_host"), info.text("master_port")
    silent_s = info.number("master_last_io_seconds_ago")
    return Replication(
        role=info.text("role"),
        primary=f"{host}:{port}" if host else None,
        link=info.text("master_link_status"),
        link_down_s=info.number("master_link_down_since_seconds"),
        silent_s=silent_s if silent_s is not None and silent_s >= 0 else None,
        replicas=tuple(_replica(info.pairs(f)) for f in info.fields if re.fullmatch(r"(slave|replica)\d+", f)),
    )


def _replica(pairs: dict[str, str]) -> Replica:
    lag = pairs.get("lag", "")
    return Replica(
        address=f"{pairs.get('ip', '?')}:{pairs.get('port', '?')}",
        state=pairs.get("state"),
        lag_s=int(lag) if lag.isdigit() else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReport:
    """What the server itself says of its memory: its advice in words, and where the bytes are (name, bytes)."""

    advice: tuple[str, ...]
    parts: tuple[tuple[str, int], ...]


PARTS = {
    "dataset.bytes": "dataset",
    "replication.backlog": "replication backlog",
    "clients.normal": "clients",
    "clients.slaves": "links to replicas",
    "aof.buffer": "AOF buffer",
    "lua.caches": "scripts",
    "functions.caches": "functions",
    "cluster.links": "links of the cluster",
    "startup.allocated": "an empty server",
}


def memory_report(target: Target, *, address: Address | None = None) -> MemoryReport:
    """The server's own view of its memory.

    Shape: its advice, line by line, and the named parts that it counts, largest first. Units: bytes.
    Cost: two commands; MEMORY STATS looks at counters, not at keys.
    Errors: those of redis_node; NotPermitted without +memory|doctor and +memory|stats; Unsupported where a fork has none.
    Source: MEMORY DOCTOR, MEMORY STATS.
    """
    with redis_node(target, address=address) as node:
        advice, stats = node.command("MEMORY", "DOCTOR"), node.command("MEMORY", "STATS")
    sizes = dict(zip(stats[::2], stats[1::2], strict=False))
    parts = [(words, sizes.get(name.encode())) for name, words in PARTS.items()]
    counted = [(words, size) for words, size in parts if isinstance(size, int) and size > 0]
    text = bytes(advice)[:TEXT_MOST].decode("utf-8", "replace")
    lines = tuple(line for line in text.splitlines() if line.strip())
    return MemoryReport(advice=lines, parts=tuple(sorted(counted, key=lambda part: -part[1])))
