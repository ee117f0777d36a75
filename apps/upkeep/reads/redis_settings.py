"""The settings of a Redis node that matter: what each does, and a remark where its value is unusual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.engine.connections.redis import redis_node
from apps.engine.errors import EngineError
from apps.engine.target import Address, Target
from apps.upkeep.reads.persistence import DURABLE_ROLES
from apps.upkeep.reads.redis import config_value
from apps.upkeep.reads.remark import Remark

Roles = frozenset[str]
Judge = Callable[[str, Roles], Remark | None]


def _number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        return -1


def _when(condition: Callable[[str, Roles], bool], signal: str, short: str, why: str) -> Judge:
    return lambda value, roles: Remark(signal=signal, short=short, why=why) if condition(value, roles) else None


def _is_durable(roles: Roles) -> bool:
    return bool(roles & DURABLE_ROLES)


def _policy(value: str, roles: Roles) -> Remark | None:
    if (_is_durable(roles) or "lock" in roles) and value != "noeviction":
        return Remark(signal="crit", short="noeviction", why="What is accepted here must not be removed silently.")
    if roles == {"cache"} and value not in ("allkeys-lru", "allkeys-lfu"):
        return Remark(
            signal="warn", short="allkeys-lru", why="A cache that may not evict refuses writes when it is full."
        )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One line of the catalogue. `unit` is said after a plain number."""

    name: str
    meaning: str
    judge: Judge | None = None
    unit: str = ""


CATALOGUE: tuple[Known, ...] = (
    Known(
        name="maxmemory",
        meaning="the memory it may use for data and buffers; 0 is no limit",
        unit="bytes",
        judge=_when(
            lambda v, _: v == "0",
            "crit",
            "a limit below the machine's memory",
            "Without one the kernel ends the process when memory is short.",
        ),
    ),
    Known(name="maxmemory-policy", meaning="what is removed when memory is full", judge=_policy),
    Known(
        name="appendonly",
        meaning="whether every write is appended to a file",
        judge=_when(lambda v, r: v == "no" and _is_durable(r), "crit", "yes", "What is accepted must survive a crash."),
    ),
    Known(
        name="appendfsync",
        meaning="when the appended writes are forced to the disk",
        judge=_when(
            lambda v, r: v == "no" and _is_durable(r),
            "crit",
            "everysec",
            "The system may hold writes back for half a minute.",
        ),
    ),
    Known(name="save", meaning="after how many seconds and changes a snapshot is taken; empty is never"),
    Known(
        name="stop-writes-on-bgsave-error",
        meaning="whether writes are refused after a failed snapshot",
        judge=_when(
            lambda v, r: v == "no" and _is_durable(r), "warn", "yes", "A full disk goes unnoticed until a restart."
        ),
    ),
    Known(
        name="maxclients",
        meaning="how many connections it accepts",
        unit="connections",
        judge=_when(
            lambda v, _: 0 <= _number(v) < 1000,
            "info",
            "1,000 or more",
            "Pools of a few processes fill it; further ones are refused.",
        ),
    ),
    Known(
        name="timeout",
        meaning="after which idle time a client is disconnected; 0 is never",
        unit="s",
        judge=_when(
            lambda v, r: 0 < _number(v) < 60 and "queue" in r,
            "warn",
            "0",
            "Workers that wait for a job are idle: they are cut off.",
        ),
    ),
    Known(
        name="tcp-keepalive",
        meaning="how often a silent client is asked whether it still lives; 0 is never",
        unit="s",
        judge=_when(lambda v, _: v == "0", "warn", "60 to 300", "A worker that vanished stays connected for hours."),
    ),
    Known(
        name="slowlog-log-slower-than",
        meaning="from which duration a command is written to the slow log; negative is never",
        unit="µs",
        judge=_when(
            lambda v, _: _number(v) < 0 or _number(v) > 10_000,
            "warn",
            "10000",
            "Commands that hold everyone up leave no trace.",
        ),
    ),
    Known(
        name="slowlog-max-len",
        meaning="how many slow commands are kept",
        unit="entries",
        judge=_when(
            lambda v, _: 0 <= _number(v) < 128,
            "warn",
            "128 or more",
            "A burst pushes the cause out before anybody looks.",
        ),
    ),
    Known(
        name="latency-monitor-threshold",
        meaning="from which duration an event is recorded for LATENCY; 0 is never",
        unit="ms",
        judge=_when(lambda v, _: v == "0", "info", "100", "LATENCY DOCTOR then has something to say."),
    ),
    Known(
        name="protected-mode",
        meaning="whether an open server without a password refuses clients from elsewhere",
        judge=_when(lambda v, _: v == "no", "info", "yes", "The last fence when a password is forgotten."),
    ),
    Known(name="lazyfree-lazy-user-del", meaning="whether DEL frees memory in the background as UNLINK does"),
    Known(name="lazyfree-lazy-expire", meaning="whether expired values are freed in the background"),
    Known(name="activedefrag", meaning="whether gaps in memory are closed while it runs"),
    Known(name="hz", meaning="how often a second background work is done", unit="times/s"),
    Known(
        name="notify-keyspace-events",
        meaning="which events on keys are published; empty is none",
        judge=_when(
            lambda v, _: "A" in v,
            "info",
            "only the classes in use",
            "Every event of every key is published and costs time.",
        ),
    ),
    Known(name="databases", meaning="how many numbered databases there are", unit="databases"),
    Known(
        name="repl-backlog-size",
        meaning="how much a replica may miss and still catch up without a full copy",
        unit="bytes",
    ),
    Known(
        name="min-replicas-to-write",
        meaning="how many replicas have to follow before writes are taken; 0 is any",
        unit="replicas",
    ),
    Known(name="client-output-buffer-limit", meaning="how much may wait for a slow client before it is disconnected"),
    Known(
        name="acllog-max-len",
        meaning="how many denied commands and sign-ins are kept",
        unit="entries",
        judge=_when(lambda v, _: v == "0", "warn", "128", "Denials leave no trace."),
    ),
    Known(name="aclfile", meaning="the file that keeps users; empty: they are kept in the configuration file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`value` as the server writes it; `remark.short` is the advice."""

    name: str
    value: str
    unit: str
    meaning: str
    remark: Remark | None

    @property
    def rank(self) -> int:
        return self.remark.rank if self.remark else 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    known: tuple[Setting, ...]
    absent_names: tuple[str, ...]

    @property
    def unusual_count(self) -> int:
        return sum(1 for setting in self.known if setting.remark)


def settings_of(target: Target, *, roles: Roles, address: Address | None = None) -> Settings:
    """The settings that matter, those with a remark first.

    Shape: Settings; names that this version does not know are listed apart. Units: each setting's own.
    Cost: one CONFIG GET a setting (24) in one round trip. Secrets (requirepass, masterauth) are never asked for.
    Errors: those of redis_node; NotPermitted without +config|get; Unsupported where a service hides CONFIG.
    Source: CONFIG GET.
    """
    with redis_node(target, address=address) as node:
        replies = node.pipeline([("CONFIG", "GET", known.name) for known in CATALOGUE])
    if all(isinstance(reply, EngineError) for reply in replies):
        raise replies[0]
    values = {known.name: config_value(reply) for known, reply in zip(CATALOGUE, replies, strict=True)}
    return judged(values, roles=roles)


def judged(values: Mapping[str, str | None], *, roles: Roles) -> Settings:
    """Pure: the catalogue over values. A value of None is a setting that the server does not know."""
    found = [
        Setting(
            name=known.name,
            value=value,
            unit=known.unit if value.lstrip("-").isdigit() else "",
            meaning=known.meaning,
            remark=known.judge(value, roles) if known.judge else None,
        )
        for known in CATALOGUE
        if (value := values.get(known.name)) is not None
    ]
    absent = tuple(known.name for known in CATALOGUE if values.get(known.name) is None)
    return Settings(known=tuple(sorted(found, key=lambda setting: setting.rank)), absent_names=absent)
