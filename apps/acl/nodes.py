"""Every node of a deployment as a change of one user needs to know it: users do not replicate, so each is asked for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.acl import definitions
from apps.acl.definitions import Definition
from apps.acl.reads.redis import CLIENTS_MOST, client_field
from apps.engine.connections.redis import Command, RedisNode, Reply, redis_node
from apps.engine.contracts.action import Planning, Refused
from apps.engine.errors import EngineError, Unreachable
from apps.engine.target import Address, Target
from apps.servers.reads.redis_identity import parse_info, version_pair

WITHOUT = "without_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A connection that is signed in as the user. `command` is the last it sent, as an ACL rule names it from 7.0 on."""

    address: bytes
    name: bytes
    command: bytes
    is_replica: bool

    @property
    def is_sentinel(self) -> bool:
        return self.name.startswith(b"sentinel-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node. `clients` is None where they may not or cannot be listed; `saves` is None where the node does not tell."""

    address: Address
    version: tuple[int, int]
    told: str
    me: bytes
    definition: Definition | None
    clients: tuple[Client, ...] | None
    clients_reason: str
    saves: bool | None
    replicates_as: bytes
    denials: tuple[Mapping[bytes, Any], ...] = field(default=(), repr=False)

    @property
    def mark(self) -> str:
        return self.definition.mark if self.definition else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """All that answered, and those that did not."""

    there: tuple[Node, ...]
    missing: tuple[tuple[Address, EngineError], ...] = ()

    @property
    def count(self) -> int:
        return len(self.there) + len(self.missing)

    @property
    def holders(self) -> tuple[Node, ...]:
        """Nodes that have the user."""
        return tuple(node for node in self.there if node.definition)

    @property
    def clients(self) -> list[Client] | None:
        """Of all nodes together; None where one of them does not tell."""
        told = [node.clients for node in self.there]
        return None if any(each is None for each in told) else [client for each in told for client in each or ()]


def look(target: Target, *, name: bytes, without_missing: bool, planning: Planning | None = None) -> Nodes:
    """Every registered node, and one user on it.

    Shape: one a node. Cost: three round trips a node; CLIENT LIST only up to 5,000 clients.
    Errors: Refused where a node does not answer, unless that is wanted; NotPermitted without the rules of docs/permissions.md.
    Source: ACL WHOAMI, ACL LIST, ACL LOG, INFO, CONFIG GET, CLIENT LIST.
    """
    there, missing = [], []
    for address in target.addresses:
        try:
            with redis_node(target, address=address) as node:
                there.append(read(node, name))
        except Unreachable as error:
            if not without_missing:
                raise Refused(
                    f"{error.message} Nothing is changed unless every node can be asked first.",
                    field=WITHOUT,
                    way_out=error.way_out,
                ) from error
            missing.append((address, error))
        if planning is not None:
            planning.check(len(there) + len(missing), len(target.addresses), "nodes asked")
    if not there:
        raise missing[0][1]
    return Nodes(there=tuple(there), missing=tuple(missing))


def read(node: RedisNode, name: bytes) -> Node:
    """One node. Errors: those of ACL LIST and INFO; what else is refused stays unknown."""
    asked: list[Command] = [
        ("ACL", "WHOAMI"),
        ("ACL", "LIST"),
        ("INFO", "server"),
        ("INFO", "clients"),
        ("CONFIG", "GET", "aclfile"),
        ("CONFIG", "GET", "masteruser"),
        ("ACL", "LOG", 128),
    ]
    me, lines, server = _answers(node, asked[:3], raising=True)
    clients, aclfile, masteruser, denials = _answers(node, asked[3:])
    told = parse_info(server).get("redis_version", "")
    listed, reason = _clients(node, clients, name)
    return Node(
        address=node.address,
        version=version_pair(told),
        told=told,
        me=me,
        definition=definitions.find(lines, name),
        clients=listed,
        clients_reason=reason,
        saves=None if isinstance(aclfile, EngineError) else bool(_value(aclfile)),
        replicates_as=b"" if isinstance(masteruser, EngineError) else _value(masteruser),
        denials=() if isinstance(denials, EngineError) else tuple(_of(name, denials)),
    )


def _answers(node: RedisNode, asked: Sequence[Command], *, raising: bool = False) -> list[Any]:
    return list(node.pipeline(asked, raising=raising))


def _value(pair: Sequence[bytes]) -> bytes:
    return pair[1] if len(pair) > 1 else b""


def _of(name: bytes, entries: Sequence[Sequence[Any]]) -> list[Mapping[bytes, Any]]:
    found = [dict(zip(entry[::2], entry[1::2], strict=False)) for entry in entries]
    return [entry for entry in found if entry.get(b"username") == name]


def denied_count(entries: Sequence[Mapping[bytes, Any]]) -> int:
    """How often, in entries of ACL LOG."""
    return sum(int(entry.get(b"count") or 1) for entry in entries)


def denials_of(node: RedisNode, name: bytes) -> int | None:
    """How often this user was denied, as far as the log still holds it; None where the log may not be read."""
    reply = node.pipeline([("ACL", "LOG", 128)])[0]
    return None if isinstance(reply, EngineError) else denied_count(_of(name, reply))


def _clients(node: RedisNode, info: Reply | EngineError, name: bytes) -> tuple[tuple[Client, ...] | None, str]:
    """CLIENT LIST has no limit of its own: it is asked for only where INFO says that the answer stays small."""
    connected = "" if isinstance(info, EngineError) else parse_info(info).get("connected_clients", "")
    if not connected.isdigit() or int(connected) > CLIENTS_MOST:
        return None, f"More than {CLIENTS_MOST:,} clients are connected, or their number is not told."
    reply = node.pipeline([("CLIENT", "LIST")])[0]
    if isinstance(reply, EngineError):
        return None, "Needs +client|list."
    lines = (line for line in reply.splitlines() if client_field(line, b"user") == name)
    return tuple(map(_client, lines)), ""


def _client(line: bytes) -> Client:
    return Client(
        address=client_field(line, b"addr"),
        name=client_field(line, b"name"),
        command=client_field(line, b"cmd"),
        is_replica=b"S" in client_field(line, b"flags"),
    )
