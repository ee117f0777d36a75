"""Who is connected to a Redis, and what the server keeps for them in output buffers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from apps.engine.connections.redis import redis_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import labelled
from apps.history.info import number, parsed
from apps.history.remembered import REMEMBERED

MOST_CLIENTS = 2000
MOST_SOURCES = 20
SOURCES = "clients_by_source_count"
# The first flag that fits says what a client is.
KINDS = {"M": "primary", "S": "replica", "O": "monitor", "P": "subscriber", "b": "blocked", "x": "in a transaction"}
NORMAL = "normal"

Client = Mapping[bytes, bytes]


def read(target: Target) -> Mapping[str, Value]:
    """Shape: clients by kind and by source (name, else user, else address; the 20 largest), bytes in their output buffers.

    Units: counts, bytes. Cost: INFO clients, and CLIENT LIST where at most 2,000 are connected: about 300 bytes and 3 µs of the
    server a client; above that nothing is known. Errors: those of redis_node; NotPermitted without +client|list. Source: INFO
    clients, CLIENT LIST.
    """
    with redis_node(target) as node:
        connected = number(parsed(node.command("INFO", "clients")), "connected_clients")
        if connected is None or connected > MOST_CLIENTS:
            return {"output_buffers_bytes": None, "output_buffer_most_bytes": None}
        clients = [_words(line) for line in node.command("CLIENT", "LIST").splitlines()]
    sources = REMEMBERED.counted(target, SOURCES, _sources(clients), most=MOST_SOURCES)
    return {**_kinds(clients), **sources, **_buffers(clients)}


def _words(line: bytes) -> Client:
    return dict(word.split(b"=", 1) for word in line.split(b" ") if b"=" in word)


def _kinds(clients: Sequence[Client]) -> dict[str, Value]:
    counts = Counter(map(_kind, clients))
    return {labelled("clients_by_kind_count", kind): counts[kind] for kind in (NORMAL, *KINDS.values())}


def _kind(client: Client) -> str:
    flags = client.get(b"flags", b"").decode("ascii", "replace")
    return next((kind for flag, kind in KINDS.items() if flag in flags), NORMAL)


def _sources(clients: Sequence[Client]) -> dict[str, Value]:
    return dict(Counter(labelled(SOURCES, _source(client)) for client in clients))


def _source(client: Client) -> bytes:
    """Its name, else its user, else the address without the port; by address only where it is the default user's."""
    user, address = client.get(b"user", b""), client.get(b"addr", b"")
    if name := client.get(b"name", b""):
        return name
    if user not in (b"", b"default"):
        return user
    return b"unix socket" if address.startswith(b"/") else address.rpartition(b":")[0]


def _buffers(clients: Sequence[Client]) -> dict[str, Value]:
    sizes = [int(size) for client in clients if (size := client.get(b"omem", b"")).isdigit()]
    return {"output_buffers_bytes": sum(sizes), "output_buffer_most_bytes": max(sizes, default=None)}


PROBE = Probe(
    key="redis_clients",
    kind=Kind.REDIS,
    read=read,
    cost="two round trips, 3 µs of the server and 300 bytes a client, at most 2,000 clients",
    every_s=30.0,
    essential=False,
    per_node=True,
)
