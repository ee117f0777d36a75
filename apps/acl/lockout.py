"""What would lock somebody out: the console itself always, clients without a sign-in and replicas unless that is meant.

Asked when a change is planned, and by the run before it touches anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from apps.acl.nodes import Client, Nodes
from apps.engine.connections.redis import redis_node
from apps.engine.contracts.action import Refused
from apps.engine.errors import EngineError
from apps.engine.target import Address, Kind, Profile, Target
from apps.engine.text import plain
from apps.servers.models import Server

DEFAULT = b"default"
IS_DEFAULT, IS_TRUSTED = "default_too", "replication_too"


def own_names(target: Target, *, at: Sequence[Address] | None = None) -> frozenset[bytes]:
    """Every user that the console signs in as on these nodes: as it is registered, and as the server calls it.

    `at` are the nodes to ask, all by default: one that is known not to answer is not waited for again.

    Cost: one connection and one ACL WHOAMI a profile and node; a node that does not answer adds nothing to what is registered.
    Errors: none. Source: the registered servers that share a node with this one, ACL WHOAMI.
    """
    names: set[bytes] = set()
    for server in _servers_at(target):
        names |= registered_names(server)
        for profile in Profile:
            with suppress(EngineError):
                names |= _whoami(server.target(profile), at)
    return frozenset(names)


def registered_names(server: Server) -> frozenset[bytes]:
    """The users that a server's accounts are registered with, for its page. Cost: one query, none where they are loaded."""
    return frozenset(
        (credential.username or "default").encode() for credential in server.credentials.all()
    ) or frozenset({DEFAULT})


def _servers_at(target: Target) -> list[Server]:
    """The server itself, and others that are registered at one of its nodes."""
    here = set(target.addresses)
    every = Server.objects.filter(kind=Kind.REDIS).prefetch_related("credentials")
    return [server for server in every if server.key == target.id or here & set(server.address_list())]


def _whoami(target: Target, at: Sequence[Address] | None) -> set[bytes]:
    found: set[bytes] = set()
    for address in target.addresses:
        if at is None or address in at:
            with suppress(EngineError):
                found.add(_whoami_at(target, address))
    return found


def _whoami_at(target: Target, address: Address) -> bytes:
    with redis_node(target, address=address) as node:
        name: bytes = node.command("ACL", "WHOAMI")
    return name


def check_own(target: Target, nodes: Nodes, *, name: bytes) -> None:
    """Errors: Refused for a user that the console itself signs in as, with any profile, on any node."""
    asked = [node.address for node in nodes.there]
    if name in own_names(target, at=asked) | {node.me for node in nodes.there}:
        raise Refused(
            f"The console itself signs in as {plain(name, most=60)}: changing that user could lock it out.",
            way_out="Register another account for the console first, or change this user on the server itself.",
        )


def check_default(nodes: Nodes, *, name: bytes, meant: bool) -> None:
    """For what takes `default` its sign-in. Errors: Refused until it is meant, naming who is signed in as it now."""
    if name == DEFAULT and not meant:
        raise Refused(
            f"Whoever does not sign in is default, replicas and Sentinels among them. {_who(nodes)}",
            field=IS_DEFAULT,
            way_out="Say below that it is meant.",
        )


def check_trusted(nodes: Nodes, *, name: bytes, meant: bool) -> None:
    """Errors: Refused until it is meant, for a user that replicas or Sentinel sign in as."""
    if meant:
        return
    by = trusted_by(nodes, name=name)
    if by:
        raise Refused(
            f"{by} as {plain(name, most=60)}: taking rights from it can stop replication or failover.",
            field=IS_TRUSTED,
            way_out="Say below that it is meant.",
        )


def trusted_by(nodes: Nodes, *, name: bytes) -> str:
    """Who of the deployment itself signs in as this user, as the beginning of a sentence; empty for nobody that is known."""
    for node in nodes.there:
        if node.replicates_as == name:
            return f"{node.address} is set up to replicate (masteruser)"
        if any(client.is_replica for client in node.clients or ()):
            return f"A replica is connected to {node.address}"
        if any(client.is_sentinel for client in node.clients or ()):
            return f"Sentinel is connected to {node.address}"
    return ""


def _who(nodes: Nodes) -> str:
    clients = nodes.clients
    if clients is None:
        return "How many clients are signed in as it now is not known."
    if not clients:
        return "Nobody is signed in as it now."
    verb = "client is" if len(clients) == 1 else "clients are"
    return f"{len(clients)} {verb} signed in as it now: {_named(clients)}."


def _named(clients: list[Client]) -> str:
    names = dict.fromkeys(plain(client.name or client.address, most=30) for client in clients)
    return ", ".join(list(names)[:5]) + (" and others" if len(names) > 5 else "")
