"""What Redis counted by command since its start or its last CONFIG RESETSTAT, and the latency events it kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.engine.connections.redis import Reply, redis_node
from apps.engine.errors import EngineError
from apps.engine.target import Address, Target

MOST_COMMANDS = 500
_LINE = re.compile(rb"^cmdstat_([^:\r\n]{1,64}):([^\r\n]+)\r?$", re.MULTILINE)
# A command of which one is one too many.
BLOCKING = frozenset({"KEYS", "FLUSHALL", "FLUSHDB", "DEBUG", "SAVE", "MONITOR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFigures:
    """One command since the start or the last reset. `rejected` never ran (ACL, arguments), `failed` ran into an error.

    Both are None below Redis 6.2, which does not count them.
    """

    name: str
    calls_count: int
    total_s: float
    share_ratio: float
    rejected_count: int | None
    failed_count: int | None

    @property
    def per_call_s(self) -> float:
        return self.total_s / self.calls_count if self.calls_count else 0.0

    @property
    def is_blocking(self) -> bool:
        return self.name in BLOCKING


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStatistics:
    """`commands` by total time. `up_s` is the time since the start; a CONFIG RESETSTAT since then is not told by the server."""

    commands: tuple[CommandFigures, ...]
    up_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyEvent:
    name: bytes
    last_at: datetime
    last_s: float
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Events, the longest first. `threshold_ms` 0 means the monitor is off, None that the account may not ask."""

    events: tuple[LatencyEvent, ...]
    threshold_ms: int | None


def command_statistics(target: Target, *, address: Address | None = None) -> CommandStatistics:
    """Calls and time by command of one node.

    Shape: at most 500 commands, the one with most time first. Units: seconds. Cost: one round trip, some 20 KB.
    Errors: those of redis_node; NotPermitted without +info. Source: INFO commandstats, INFO server.
    """
    with redis_node(target, address=address) as node:
        statistics, server = node.pipeline([("INFO", "commandstats"), ("INFO", "server")])
    if isinstance(statistics, EngineError):
        raise statistics
    found = [_figures(name, line) for name, line in _LINE.findall(bytes(statistics))]
    total_s = sum(each[2] for each in found) or 1.0
    commands = sorted((_command(each, total_s) for each in found), key=lambda command: -command.total_s)
    return CommandStatistics(commands=tuple(commands[:MOST_COMMANDS]), up_s=_uptime(server))


def latency(target: Target, *, address: Address | None = None) -> Latency:
    """The latency events a node kept.

    Shape: at most some 20, one a kind of event. Units: seconds. Cost: one round trip. Errors: those of redis_node;
    NotPermitted without +latency|latest, Unsupported where there is no such command.
    Source: LATENCY LATEST, CONFIG GET latency-monitor-threshold.
    """
    with redis_node(target, address=address) as node:
        latest, config = node.pipeline([("LATENCY", "LATEST"), ("CONFIG", "GET", "latency-monitor-threshold")])
    if isinstance(latest, EngineError):
        raise latest
    events = sorted((_event(raw) for raw in latest), key=lambda event: -event.longest_s)
    threshold = None if isinstance(config, EngineError) or len(config) != 2 else int(config[1])
    return Latency(events=tuple(events), threshold_ms=threshold)


_Figures = tuple[str, int, float, int | None, int | None]


def _figures(name: bytes, line: bytes) -> _Figures:
    values = dict(pair.split(b"=", 1) for pair in line.split(b",") if b"=" in pair)
    title = name.decode("ascii", "replace").upper().replace("|", " ")
    rejected, failed = values.get(b"rejected_calls"), values.get(b"failed_calls")
    return (
        title,
        int(values.get(b"calls", b"0")),
        int(values.get(b"usec", b"0")) / 1e6,
        None if rejected is None else int(rejected),
        None if failed is None else int(failed),
    )


def _command(figures: _Figures, total_s: float) -> CommandFigures:
    name, calls, own_s, rejected, failed = figures
    return CommandFigures(
        name=name,
        calls_count=calls,
        total_s=own_s,
        share_ratio=own_s / total_s,
        rejected_count=rejected,
        failed_count=failed,
    )


def _uptime(reply: Reply) -> float | None:
    match = None if isinstance(reply, EngineError) else re.search(rb"uptime_in_seconds:(\d+)", bytes(reply))
    return float(match[1]) if match else None


def _event(raw: Reply) -> LatencyEvent:
    name, at, last_ms, longest_ms = raw[:4]
    return LatencyEvent(
        name=bytes(name),
        last_at=datetime.fromtimestamp(int(at), UTC),
        last_s=int(last_ms) / 1e3,
        longest_s=int(longest_ms) / 1e3,
    )
