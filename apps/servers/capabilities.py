"""What each feature asks of the account on a server: the one table behind the probe, the pages' hints and docs/permissions.md.

Redis: the commands a feature sends, each with arguments that do no harm; the ACL rules follow from them. PostgreSQL: the
rights it needs by name (sql/rights.sql answers for all of them in one query); the GRANT follows from the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.engine.connections.redis import rule_of
from apps.engine.target import Kind, Profile

Words = tuple[str, ...]
SAMPLE = "signalbox:probe"  # a key that nobody has: looking at it costs and changes nothing
OLDEST = (6, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing a page shows. `looks` is false for what changes a server: the probe never tries it, it only asks."""

    key: str
    kind: Kind
    title: str
    pages: str
    without: str
    profile: Profile = Profile.MONITOR
    commands: tuple[Words, ...] = ()
    commands_since_7: tuple[Words, ...] = ()
    reads_keys: bool = False
    writes_keys: bool = False
    rights: tuple[str, ...] = ()
    since: tuple[int, int] = OLDEST
    looks: bool = True

    def rules(self, version: tuple[int, int]) -> tuple[str, ...]:
        """The ACL rules that allow it on a Redis of this version."""
        keys = ("~*",) if self.writes_keys else (key_rule(version),) if self.reads_keys else ()
        return (*keys, *dict.fromkeys(rule_of(words) for words in self.commands_of(version)))

    def commands_of(self, version: tuple[int, int]) -> tuple[Words, ...]:
        """The commands that are sent to a Redis of this version."""
        return self.commands + (self.commands_since_7 if version >= (7, 0) else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A right of PostgreSQL. `grant` is a format with {user}; `since` the major version that brought it."""

    name: str
    grant: str
    says: str
    since: int = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What a probe found for one feature. `missing` is the line to run on the server, empty where no line helps."""

    key: str
    title: str
    profile: Profile
    ok: bool
    missing: str
    reason: str


def key_rule(version: tuple[int, int]) -> str:
    """Every key, for reading only where the version can say so."""
    return "%R~*" if version >= (7, 0) else "~*"


def _words(text: str) -> tuple[Words, ...]:
    """One command a line or between semicolons; K stands for the sample key."""
    parts = [part.split() for part in text.replace("\n", ";").split(";")]
    return tuple(tuple(SAMPLE if word == "K" else word for word in part) for part in parts if part)


_R, _P = Kind.REDIS, Kind.POSTGRES
REDIS: tuple[Feature, ...] = (
    Feature(
        key="connect", kind=_R, title="Sign in and be known by name", pages="every page",
        without="Nothing works without it.",
        commands=_words("PING; SELECT 0; CLIENT SETNAME signalbox; ACL WHOAMI"),
    ),
    Feature(
        key="probe", kind=_R, title="Find out what it may do without trying", pages="server", since=(7, 0),
        without="Rights are then found by trying; every denial leaves an entry in the ACL log.",
        commands=_words("ACL DRYRUN default PING"),
    ),
    Feature(
        key="overview", kind=_R, title="Figures, nodes and replication", pages="overview, server",
        without="The server is known to answer, and nothing more.",
        commands=_words("INFO server; DBSIZE"),
    ),
    Feature(
        key="cluster", kind=_R, title="Nodes of a cluster", pages="server",
        without="Only the registered nodes are shown.",
        commands=_words("CLUSTER INFO; CLUSTER NODES"),
    ),
    Feature(
        key="keyspace.browse", kind=_R, title="Browse and analyse keys", pages="keyspace", reads_keys=True,
        without="The page of keys stays empty.",
        commands=_words("SCAN 0; DBSIZE; TYPE K; TTL K; PTTL K; EXISTS K; MEMORY USAGE K; OBJECT ENCODING K"),
    ),
    Feature(
        key="keyspace.values", kind=_R, title="Open a key", pages="keyspace", reads_keys=True,
        without="Names, types and sizes are shown, values are not.",
        commands=_words(
            """TYPE K; PTTL K; EXISTS K; MEMORY USAGE K; OBJECT ENCODING K; OBJECT IDLETIME K; OBJECT FREQ K
            GET K; GETRANGE K 0 1; STRLEN K; HLEN K; HGET K f; HSCAN K 0; HSTRLEN K f
            LLEN K; LRANGE K 0 1; LINDEX K 0; SCARD K; SSCAN K 0; SISMEMBER K m
            ZCARD K; ZSCAN K 0; ZRANGE K 0 1; ZREVRANGE K 0 1; ZSCORE K m
            XLEN K; XRANGE K - + COUNT 1; XREVRANGE K + - COUNT 1; XINFO STREAM K; XINFO GROUPS K"""
        ),
        commands_since_7=_words("PEXPIRETIME K"),
    ),
    Feature(
        key="queues.view", kind=_R, title="Backlogs, jobs and workers", pages="queues", reads_keys=True,
        without="The page of queues stays empty.",
        commands=_words(
            """TIME; SCAN 0; TYPE K; TTL K; PTTL K; EXISTS K; GET K; MGET K; LLEN K; LRANGE K 0 1; LINDEX K 0
            SCARD K; SMEMBERS K; SSCAN K 0; SISMEMBER K m; ZCARD K; ZCOUNT K 0 1; ZRANGE K 0 1; ZREVRANGE K 0 1
            ZRANGEBYSCORE K 0 1 LIMIT 0 1; ZSCORE K m; HGET K f; HMGET K f; HGETALL K; HLEN K; HSCAN K 0; STRLEN K
            XLEN K; XRANGE K - + COUNT 1; XREVRANGE K + - COUNT 1; XINFO STREAM K; XINFO GROUPS K
            XINFO CONSUMERS K g; XPENDING K g"""
        ),
    ),
    Feature(
        key="acl.view", kind=_R, title="Users and their rules", pages="ACL",
        without="The page of users stays empty.",
        commands=_words("ACL LIST; ACL USERS; ACL GETUSER default; ACL CAT; ACL WHOAMI"),
    ),
    Feature(
        key="acl.log", kind=_R, title="Denied commands and sign-ins", pages="ACL",
        without="What the server denied stays unseen.",
        commands=_words("ACL LOG 1"),
    ),
    Feature(
        key="slow.log", kind=_R, title="The slow log", pages="slow log",
        without="Slow commands stay unseen.",
        commands=_words("SLOWLOG GET 1; SLOWLOG LEN; TIME"),
    ),
    Feature(
        key="slow.commands", kind=_R, title="Calls and time by command", pages="slow log",
        without="Only single slow commands are shown.",
        commands=_words("INFO commandstats"),
    ),
    Feature(
        key="latency.events", kind=_R, title="Latency events", pages="slow log",
        without="Stalls that the server noticed itself stay unseen.",
        commands=_words("LATENCY LATEST; LATENCY HISTORY command"),
    ),
    Feature(
        key="latency.commands", kind=_R, title="Latency by command", pages="slow log", since=(7, 0),
        without="Means come from the command statistics instead of percentiles.",
        commands=_words("LATENCY HISTOGRAM ping"),
    ),
    Feature(
        key="activity.clients", kind=_R, title="Connected clients", pages="clients",
        without="Clients are counted, not listed.",
        commands=_words("CLIENT LIST TYPE pubsub; CLIENT ID; INFO clients"),
    ),
    Feature(
        key="activity.pubsub", kind=_R, title="Channels and subscribers", pages="clients",
        without="Channels stay unseen.",
        commands=_words("PUBSUB CHANNELS signalbox; PUBSUB NUMPAT; PUBSUB NUMSUB signalbox"),
    ),
    Feature(
        key="upkeep.config", kind=_R, title="Settings", pages="upkeep, slow log",
        without="Limits and policies are only known where INFO tells them.",
        commands=_words("CONFIG GET maxmemory"),
    ),
    Feature(
        key="upkeep.memory", kind=_R, title="Memory in words", pages="upkeep",
        without="Memory is shown as INFO tells it.",
        commands=_words("INFO memory; MEMORY STATS; MEMORY DOCTOR"),
    ),
    Feature(
        key="upkeep.persistence", kind=_R, title="Snapshots and the append-only file", pages="upkeep, backups",
        without="When the last snapshot was made stays unknown.",
        commands=_words("INFO persistence; LASTSAVE"),
    ),
    Feature(
        key="upkeep.modules", kind=_R, title="Loaded modules", pages="upkeep",
        without="Modules stay unseen.",
        commands=_words("MODULE LIST"),
    ),
    Feature(
        key="keyspace.change", kind=_R, title="Change keys", pages="keyspace", profile=Profile.OPERATE, looks=False,
        without="Keys are looked at, not changed.", writes_keys=True,
        commands=_words(
            """WATCH K; UNWATCH; MULTI; EXEC; DISCARD; SCAN 0; DBSIZE; TYPE K; PTTL K; EXISTS K; MEMORY USAGE K; DUMP K; TIME
            INFO replication; UNLINK K; RESTORE K 0 x; SET K x; GETRANGE K 0 1; STRLEN K; PEXPIRE K 1; PEXPIREAT K 1; PERSIST K"""
        ),
    ),
    Feature(
        key="queues.requeue", kind=_R, title="Put failed jobs back", pages="queues", profile=Profile.OPERATE,
        looks=False, without="Failed jobs are looked at, not put back.", writes_keys=True,
        commands=_words(
            """EVALSHA x 0; SCRIPT LOAD x; INFO replication; SELECT 0; EXISTS K; HGET K f; HMGET K f; HSTRLEN K f; ZSCORE K m
            SCARD K; SSCAN K 0; LLEN K; PTTL K; HSET K f v; HDEL K f; SADD K m; ZADD K 0 m; ZREM K m; RPUSH K x; LREM K 0 x"""
        ),
    ),
    Feature(
        key="streams.trim", kind=_R, title="Trim streams", pages="queues", profile=Profile.OPERATE, looks=False,
        since=(6, 2), without="Streams are looked at, not trimmed.", writes_keys=True,
        commands=_words(
            """EVALSHA x 0; SCRIPT LOAD x; INFO replication; SELECT 0; PING; EXISTS K; TYPE K; XLEN K; MEMORY USAGE K; XINFO STREAM K
            XINFO GROUPS K; XINFO CONSUMERS K g; XPENDING K g; XRANGE K - + COUNT 1; XTRIM K MINID = 0; XADD K 1-1 f v"""
        ),
    ),
    Feature(
        key="upkeep.save", kind=_R, title="Write snapshots", pages="upkeep", profile=Profile.OPERATE, looks=False,
        without="Snapshots are the server's own.",
        commands=_words("BGSAVE; INFO persistence; TIME"),
    ),
    Feature(
        key="upkeep.purge", kind=_R, title="Give unused memory back", pages="upkeep", profile=Profile.OPERATE, looks=False,
        without="Memory is looked at, not given back.",
        commands=_words("MEMORY PURGE; INFO memory"),
    ),
    Feature(
        key="upkeep.config_set", kind=_R, title="Change settings", pages="upkeep", profile=Profile.OPERATE, looks=False,
        without="Settings are looked at, not changed.",
        commands=_words("CONFIG SET maxmemory 0; CONFIG GET maxmemory; INFO memory"),
    ),
    Feature(
        key="activity.kill", kind=_R, title="End clients", pages="clients", profile=Profile.OPERATE, looks=False,
        without="Clients are looked at, not ended.",
        commands=_words("CLIENT KILL ID 0; CLIENT LIST; CLIENT ID; ACL WHOAMI; INFO server; TIME"),
    ),
    Feature(
        key="slow.reset", kind=_R, title="Empty the slow log", pages="slow log", profile=Profile.OPERATE, looks=False,
        without="The slow log is looked at, not emptied.",
        commands=_words("SLOWLOG RESET; SLOWLOG GET 1; SLOWLOG LEN; CONFIG GET slowlog-*; INFO server"),
    ),
    Feature(
        key="acl.change", kind=_R, title="Change users", pages="ACL", profile=Profile.ADMIN, looks=False,
        without="Users are looked at, not changed.",
        commands=_words(
            """ACL SETUSER nobody; ACL DELUSER nobody; ACL SAVE; ACL LIST; ACL WHOAMI; ACL CAT; ACL LOG 1; INFO server
            CLIENT LIST; CLIENT KILL USER nobody; CONFIG GET aclfile; COMMAND INFO get"""
        ),
        commands_since_7=_words("ACL DRYRUN default PING"),
    ),
    Feature(
        key="backups.rdb", kind=_R, title="Fetch snapshots over the replication stream", pages="backups",
        profile=Profile.BACKUP, looks=False,
        without="Backups are the server's own.",
        commands=_words("PSYNC ? -1; REPLCONF capa eof; PING; INFO; COMMAND INFO psync"),
    ),
)  # fmt: skip

RIGHTS: Mapping[str, Right] = {
    right.name: right
    for right in (
        Right(
            name="pg_read_all_stats", says="see what other users' sessions do",
            grant="GRANT pg_read_all_stats TO {user};",
        ),
        Right(
            name="pg_read_all_settings", says="read every setting",
            grant="GRANT pg_read_all_settings TO {user};",
        ),
        Right(
            name="pg_ls_waldir", says="list the write-ahead log",
            grant="GRANT EXECUTE ON FUNCTION pg_ls_waldir() TO {user};",
        ),
        Right(
            name="pg_stat_statements", says="read statement statistics, which this database does not keep",
            grant="CREATE EXTENSION pg_stat_statements;",
        ),
        Right(
            name="select_pg_stat_statements", says="select from pg_stat_statements",
            grant="GRANT SELECT ON pg_stat_statements TO {user};",
        ),
        Right(
            name="pg_signal_backend", says="cancel and end sessions",
            grant="GRANT pg_signal_backend TO {user};",
        ),
        Right(
            name="pg_maintain", says="vacuum, analyse and reindex every table", since=17,
            grant="GRANT pg_maintain TO {user};",
        ),
        Right(
            name="pg_read_all_data", says="read every table", since=14,
            grant="GRANT pg_read_all_data TO {user};",
        ),
    )
}  # fmt: skip

POSTGRES: tuple[Feature, ...] = (
    Feature(
        key="overview", kind=_P, title="Figures and counters of the databases", pages="overview, server",
        without="Nothing works without it.",
    ),
    Feature(
        key="replication", kind=_P, title="Standbys and how far they are behind", pages="server, upkeep",
        without="Standbys are named without their lag.", rights=("pg_read_all_stats",),
    ),
    Feature(
        key="activity.sessions", kind=_P, title="Sessions, what they run and who waits for whom", pages="activity",
        without="Other users' sessions are counted, not told.", rights=("pg_read_all_stats",),
    ),
    Feature(
        key="slow.statements", kind=_P, title="Statement statistics", pages="slow queries",
        without="Only statements that run just now are seen.",
        rights=("pg_stat_statements", "select_pg_stat_statements", "pg_read_all_stats"),
    ),
    Feature(
        key="upkeep.tables", kind=_P, title="Tables, indexes and vacuum", pages="upkeep",
        without="Tables stay unseen.",
    ),
    Feature(
        key="upkeep.sizes", kind=_P, title="Sizes of all databases", pages="upkeep",
        without="Only databases the account may connect to are measured.", rights=("pg_read_all_stats",),
    ),
    Feature(
        key="upkeep.settings", kind=_P, title="Settings", pages="upkeep",
        without="Settings that the server keeps to itself are missing.", rights=("pg_read_all_settings",),
    ),
    Feature(
        key="upkeep.wal", kind=_P, title="Size of the write-ahead log", pages="upkeep",
        without="The size of the write-ahead log stays unknown.", rights=("pg_ls_waldir",),
    ),
    Feature(
        key="acl.view", kind=_P, title="Roles, memberships and privileges", pages="roles",
        without="Roles stay unseen.",
    ),
    Feature(
        key="activity.cancel", kind=_P, title="Cancel statements and end sessions", pages="activity",
        profile=Profile.OPERATE, looks=False, rights=("pg_signal_backend", "pg_read_all_stats"),
        without="Sessions are looked at, not ended.",
    ),
    Feature(
        key="upkeep.maintain", kind=_P, title="Vacuum, analyse and reindex", pages="upkeep",
        profile=Profile.OPERATE, looks=False, rights=("pg_maintain",),
        without="Tables are looked at, not maintained.",
    ),
    Feature(
        key="backups.dump", kind=_P, title="Logical dumps", pages="backups",
        profile=Profile.BACKUP, looks=False, rights=("pg_read_all_data",),
        without="Backups are the server's own.",
    ),
)  # fmt: skip


def account_features(kind: str, profile: Profile) -> tuple[Feature, ...]:
    """What the account of a profile needs in all: every account looks as monitor does, for a plan is a look, and then its own."""
    return features(kind, Profile.MONITOR) + (features(kind, profile) if profile is not Profile.MONITOR else ())


def features(kind: str, profile: Profile | None = None) -> tuple[Feature, ...]:
    """The table of one kind of server, in the order it is shown; of one profile, where asked."""
    table = REDIS if kind == Kind.REDIS else POSTGRES
    return tuple(f for f in table if profile is None or f.profile == profile)


def capability_of(kind: str, stored: Mapping[str, Any], feature: str, profile: Profile) -> Capability | None:
    """One entry of Server.capabilities as a record, or None where it was not probed."""
    found = stored.get(profile, {}).get(feature)
    if found is None:
        return None
    title = next((f.title for f in features(kind) if f.key == feature), feature)
    return Capability(
        key=feature,
        title=title,
        profile=profile,
        ok=bool(found["ok"]),
        missing=str(found.get("missing", "")),
        reason=str(found.get("reason", "")),
    )
