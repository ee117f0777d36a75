"""One client of Redis that somebody chose, as it is now."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.activity.identity import ClientRef
from apps.activity.reads.clients import MOST_CLIENTS_READ, Client, parsed
from apps.engine.connections.redis import RedisNode, Reply
from apps.engine.errors import Busy, EngineError, Gone

LISTS_ONE = (6, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenClient:
    """`server_life` is a new one whenever the server starts; `begun_at_s` since 1970 by the server's clock, a second more or less."""

    client: Client
    server_life: str
    begun_at_s: int
    own_id: int | None
    own_user: bytes

    def is_one_of(self, users: frozenset[bytes]) -> bool:
        """Whether this console opened it, which signs in as these users."""
        return self.client.id == self.own_id or (self.client.is_own and self.client.user in users | {self.own_user})


def chosen_client(node: RedisNode, ref: ClientRef) -> ChosenClient:
    """The client behind a reference.

    Shape: one record. Units: seconds. Cost: three round trips; the whole list below Redis 6.2, up to 10,000 clients.
    Errors: those of the node; Gone where it left, or another has its number since a restart; Busy above 10,000 clients before 6.2.
    Source: INFO server, INFO clients, TIME, CLIENT ID, ACL WHOAMI, CLIENT LIST.
    """
    info, time = node.replies([("INFO", "server"), ("TIME",)])
    connected, own_id, user = node.pipeline([("INFO", "clients"), ("CLIENT", "ID"), ("ACL", "WHOAMI")])
    client = _listed(node, ref, version=_version(info), connected=connected)
    return ChosenClient(
        client=client,
        server_life=_field(info, b"run_id"),
        begun_at_s=int(time[0]) - client.age_s,
        own_id=own_id if isinstance(own_id, int) else None,
        own_user=b"default" if isinstance(user, EngineError) else bytes(user),
    )


def _listed(node: RedisNode, ref: ClientRef, *, version: tuple[int, ...], connected: Reply) -> Client:
    if version >= LISTS_ONE:
        listed = node.command("CLIENT", "LIST", "ID", ref.id)
    else:
        _check_few(connected)
        listed = node.command("CLIENT", "LIST")
    found = next((c for c in parsed(bytes(listed)) if c.id == ref.id and c.address == ref.address), None)
    if found is None:
        raise Gone(f"The client {ref.id} has left by itself.", way_out="Look at Clients again.")
    return found


def _check_few(connected: Reply) -> None:
    count = "" if isinstance(connected, EngineError) else _field(connected, b"connected_clients")
    if count.isdecimal() and int(count) > MOST_CLIENTS_READ:
        raise Busy(
            f"{int(count):,} clients are connected, and this version lists all or none.",
            way_out="End it on the server itself.",
        )


def _field(info: Reply, name: bytes) -> str:
    match = re.search(rb"(?m)^%b:(\S+)" % name, bytes(info))
    return match[1].decode("ascii", "replace") if match else ""


def _version(info: Reply) -> tuple[int, ...]:
    return tuple(int(part) for part in _field(info, b"redis_version").split(".")[:2] if part.isdecimal())
