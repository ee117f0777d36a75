"""Redis' clients as CLIENT LIST tells them, and who listens to which channel."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from apps.engine.connections.redis import RedisNode, Reply, redis_node
from apps.engine.errors import Busy, EngineError
from apps.engine.target import Address, Target

MOST_CLIENTS_READ = 10_000
MOST_CLIENTS_SHOWN = 1_000
MOST_CHANNELS = 1_000
MOST_CHANNELS_SHOWN = 100
IDLE_FOR_LONG_S = 300
OWN_NAME = b"signalbox"
_PAIR = re.compile(rb" (?=[a-z][a-z0-9-]*=)")
_NUMBER = re.compile(rb"-?\d{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One connection. Names are bytes as the client gave them; user is empty below Redis 6, library below 7.2.

    `queued_count` commands wait for its EXEC; None where it is in no MULTI.
    """

    id: int
    address: bytes
    name: bytes
    user: bytes
    library: bytes
    database: int
    age_s: int
    idle_s: int
    flags: str
    command: bytes
    output_bytes: int
    output_count: int
    memory_bytes: int | None
    subscriptions_count: int
    watched_keys_count: int | None
    queued_count: int | None

    @property
    def is_own(self) -> bool:
        """Whether it is one of the console's own connections, which go by this name."""
        return self.name == OWN_NAME

    @property
    def is_blocked(self) -> bool:
        return "b" in self.flags

    @property
    def is_monitor(self) -> bool:
        return "O" in self.flags or self.command == b"monitor"

    @property
    def is_replica(self) -> bool:
        return "S" in self.flags and not self.is_monitor

    @property
    def is_primary(self) -> bool:
        """Whether it is the link to what this node replicates."""
        return "M" in self.flags

    @property
    def is_subscriber(self) -> bool:
        return "P" in self.flags

    @property
    def host(self) -> bytes:
        """The address without its port; a unix socket as it is."""
        return self.address.rpartition(b":")[0] or self.address

    @property
    def state(self) -> str:
        """One word for what it is doing."""
        if self.is_monitor:
            return "monitor"
        if self.is_replica or self.is_primary:
            return "replication"
        return (
            "blocked"
            if self.is_blocked
            else "subscribed"
            if self.is_subscriber
            else "idle"
            if self.idle_s
            else "active"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientGroup:
    """Clients that share a user and a name."""

    user: bytes
    name: bytes
    hosts: tuple[bytes, ...]
    clients_count: int
    blocked_count: int
    idle_count: int
    output_bytes: int
    oldest_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """`clients` all that were read. `limit_count` is maxclients, None where it may not be asked for."""

    clients: tuple[Client, ...]
    limit_count: int | None
    rejected_count: int | None
    timeout_s: int | None
    commands_sent: int

    @property
    def monitors(self) -> tuple[Client, ...]:
        return tuple(client for client in self.clients if client.is_monitor)

    @property
    def blocked_count(self) -> int:
        return sum(client.is_blocked for client in self.clients)

    @property
    def idle_long_count(self) -> int:
        """Idle for over five minutes, those that wait on purpose (blocked, subscribed, replicas) left out."""
        return sum(c.idle_s > IDLE_FOR_LONG_S and c.state == "idle" for c in self.clients)

    @property
    def fill_ratio(self) -> float | None:
        return len(self.clients) / self.limit_count if self.limit_count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    name: bytes
    subscribers_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """`channels` the busiest first, at most 100; empty with `channels_count` above 1,000, which are counted and not listed."""

    channels: tuple[Channel, ...]
    channels_count: int
    patterns_count: int


class ClientOrder(enum.StrEnum):
    WORST = "worst"
    AGE = "age"
    IDLE = "idle"
    OUTPUT = "output"
    NAME = "name"


_KEYS: dict[ClientOrder, Callable[[Client], tuple[object, ...]]] = {
    ClientOrder.WORST: lambda c: (not c.is_monitor, -c.output_bytes, not c.is_blocked, c.idle_s, c.id),
    ClientOrder.AGE: lambda c: (-c.age_s, c.id),
    ClientOrder.IDLE: lambda c: (-c.idle_s, c.id),
    ClientOrder.OUTPUT: lambda c: (-c.output_bytes, c.id),
    ClientOrder.NAME: lambda c: (c.name, c.user, c.id),
}


def clients(target: Target, *, address: Address | None = None) -> Clients:
    """Every client of one node.

    Shape: at most 10,000 clients; a server with more is not asked, since it would build the whole list in one go.
    Units: seconds, bytes. Cost: two round trips; CLIENT LIST takes some 3 ms and 0.3 MB a thousand clients.
    Errors: those of redis_node; NotPermitted without +client|list; Busy above 10,000 clients.
    Source: INFO clients, INFO stats, CONFIG GET maxclients and timeout, CLIENT LIST.
    """
    with redis_node(target, address=address) as node:
        info, stats, most, timeout = node.pipeline(
            [("INFO", "clients"), ("INFO", "stats"), ("CONFIG", "GET", "maxclients"), ("CONFIG", "GET", "timeout")]
        )
        connected = _figure(info, b"connected_clients")
        if connected is not None and connected > MOST_CLIENTS_READ:
            raise Busy(
                f"{connected:,} clients are connected; the list is not read above {MOST_CLIENTS_READ:,}.",
                way_out="The server would build the whole list in one go.",
            )
        listed = bytes(node.command("CLIENT", "LIST"))
        sent = node.sent
    return Clients(
        clients=parsed(listed),
        limit_count=_figure(info, b"maxclients") or _setting(most),
        rejected_count=_figure(stats, b"rejected_connections"),
        timeout_s=_setting(timeout),
        commands_sent=sent,
    )


def channels(target: Target, *, address: Address | None = None) -> Channels:
    """The channels somebody listens to on one node, and how many listen by pattern.

    Shape: at most 100 channels. Units: counts. Cost: one round trip, two more when there are channels; PUBSUB CHANNELS walks
    all of them and so is asked up to 1,000 only. Errors: those of redis_node; NotPermitted without +pubsub|channels.
    Source: INFO stats, PUBSUB CHANNELS, PUBSUB NUMSUB.
    """
    with redis_node(target, address=address) as node:
        stats = node.command("INFO", "stats")
        count, patterns = _figure(stats, b"pubsub_channels") or 0, _figure(stats, b"pubsub_patterns") or 0
        found = _subscribed(node) if 0 < count <= MOST_CHANNELS else []
    found.sort(key=lambda channel: (-channel.subscribers_count, channel.name))
    return Channels(channels=tuple(found[:MOST_CHANNELS_SHOWN]), channels_count=count, patterns_count=patterns)


def ordered(found: Iterable[Client], order: ClientOrder) -> tuple[Client, ...]:
    """Sorted, at most 1,000. Pure."""
    return tuple(sorted(found, key=_KEYS[order])[:MOST_CLIENTS_SHOWN])


def grouped(found: Iterable[Client]) -> tuple[ClientGroup, ...]:
    """By user and name, the largest group first. Pure."""
    groups: dict[tuple[bytes, bytes], list[Client]] = {}
    for client in found:
        groups.setdefault((client.user, client.name), []).append(client)
    made = (_group(user, name, some) for (user, name), some in groups.items())
    return tuple(sorted(made, key=lambda group: (-group.clients_count, group.user, group.name)))


def _group(user: bytes, name: bytes, some: list[Client]) -> ClientGroup:
    return ClientGroup(
        user=user,
        name=name,
        hosts=tuple(dict.fromkeys(client.host for client in some)),
        clients_count=len(some),
        blocked_count=sum(client.is_blocked for client in some),
        idle_count=sum(client.state == "idle" and client.idle_s > IDLE_FOR_LONG_S for client in some),
        output_bytes=sum(client.output_bytes for client in some),
        oldest_s=max(client.age_s for client in some),
    )


def parsed(listed: bytes) -> tuple[Client, ...]:
    """The clients of an answer of CLIENT LIST. Pure."""
    return tuple(_client(line) for line in listed.splitlines() if line)


def _client(line: bytes) -> Client:
    pairs = (pair.partition(b"=") for pair in _PAIR.split(line))
    told = {key: value for key, _, value in pairs}
    library, version = told.get(b"lib-name", b""), told.get(b"lib-ver", b"")
    return Client(
        id=_number(told, b"id"),
        address=told.get(b"addr", b""),
        name=told.get(b"name", b""),
        user=told.get(b"user", b""),
        library=b" ".join(part for part in (library, version) if part),
        database=_number(told, b"db"),
        age_s=_number(told, b"age"),
        idle_s=_number(told, b"idle"),
        flags=told.get(b"flags", b"").decode("ascii", "replace"),
        command=told.get(b"cmd", b""),
        output_bytes=_number(told, b"omem"),
        output_count=_number(told, b"oll"),
        memory_bytes=_number(told, b"tot-mem") if b"tot-mem" in told else None,
        subscriptions_count=_number(told, b"sub") + _number(told, b"psub") + _number(told, b"ssub"),
        watched_keys_count=_number(told, b"watch") if b"watch" in told else None,
        queued_count=_queued(told),
    )


def _queued(told: dict[bytes, bytes]) -> int | None:
    """-1 stands for no MULTI."""
    count = _number(told, b"multi") if b"multi" in told else -1
    return count if count >= 0 else None


def _number(told: dict[bytes, bytes], key: bytes) -> int:
    value = told.get(key, b"0")
    return int(value) if _NUMBER.fullmatch(value) else 0


def _figure(reply: Reply, name: bytes) -> int | None:
    """One figure of INFO; None where INFO was refused or does not have it."""
    match = None if isinstance(reply, EngineError) else re.search(rb"(?m)^%b:(\d+)" % name, bytes(reply))
    return int(match[1]) if match else None


def _setting(reply: Reply) -> int | None:
    return None if isinstance(reply, EngineError) or len(reply) != 2 else int(reply[1])


def _subscribed(node: RedisNode) -> list[Channel]:
    names = [bytes(name) for name in node.command("PUBSUB", "CHANNELS")][:MOST_CHANNELS]
    flat = node.command("PUBSUB", "NUMSUB", *names)
    return [Channel(name=bytes(name), subscribers_count=int(n)) for name, n in zip(flat[::2], flat[1::2], strict=True)]
