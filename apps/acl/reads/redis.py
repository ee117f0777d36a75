"""Users of a Redis deployment: who they are, who is connected as them, what was denied, and whether the nodes agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from apps.acl.reads.rules import User, parse_getuser, parse_line
from apps.acl.reads.words import trouble
from apps.engine.connections.redis import RedisNode, Reply, redis_node
from apps.engine.errors import EngineError, Gone
from apps.engine.target import Address, Target

USERS_MOST = 1000
DENIALS_MOST = 128
CLIENTS_MOST = 5000
_RANKS = ("crit", "warn", "info", "ok", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """The users of one node, worst first. `client_counts` is None when there are too many clients or no right to list them."""

    address: Address
    me: bytes | None
    users: tuple[User, ...]
    client_counts: dict[bytes, int] | None
    clients_reason: str
    is_cut: bool

    def clients_of(self, user: User) -> int | None:
        return None if self.client_counts is None else self.client_counts.get(user.name, 0)


def users(target: Target, *, address: Address | None = None) -> Users:
    """The users of a node and how many clients are signed in as each.

    Shape: at most 1,000 users, worst first; hashes cut to six digits.
    Cost: ACL LIST, ACL WHOAMI and INFO clients, then CLIENT LIST when no more than 5,000 clients are connected.
    Errors: those of redis_node; NotPermitted without +acl|list. A refused CLIENT LIST leaves the counts unknown.
    Source: ACL LIST, ACL WHOAMI, INFO clients, CLIENT LIST.
    """
    with redis_node(target, address=address) as node:
        lines, me, info = node.pipeline([("ACL", "LIST"), ("ACL", "WHOAMI"), ("INFO", "clients")])
        if isinstance(lines, EngineError):
            raise lines
        counts, reason = _client_counts(node, info)
        found = [parse_line(line) for line in lines[:USERS_MOST]]
        return Users(
            address=node.address,
            me=me if isinstance(me, bytes) else None,
            users=tuple(sorted(found, key=_worst_first)),
            client_counts=counts,
            clients_reason=reason,
            is_cut=len(lines) > USERS_MOST,
        )


def _worst_first(user: User) -> tuple[int, bytes]:
    return _RANKS.index(trouble(user)[0]), user.name


def _client_counts(node: RedisNode, info: Reply | EngineError) -> tuple[dict[bytes, int] | None, str]:
    """CLIENT LIST has no limit of its own: it is asked for only where INFO says that the answer stays small."""
    if isinstance(info, EngineError):
        return None, "Needs +info: the number of clients is looked at before they are listed."
    connected = next((line[18:] for line in info.splitlines() if line.startswith(b"connected_clients:")), b"")
    if not connected.isdigit() or int(connected) > CLIENTS_MOST:
        return None, f"More than {CLIENTS_MOST:,} clients are connected: they are not listed."
    reply = node.pipeline([("CLIENT", "LIST")])[0]
    if isinstance(reply, EngineError):
        return None, "Needs +client|list."
    return dict(Counter(_user_of(line) for line in reply.splitlines() if line)), ""


def _user_of(line: bytes) -> bytes:
    return client_field(line, b"user")


def client_field(line: bytes, name: bytes) -> bytes:
    """A field of a client's line, but its first one: no value in it holds a space."""
    head = b" " + name + b"="
    begin = line.find(head)
    return line[begin + len(head) :].partition(b" ")[0] if begin >= 0 else b""


def user(target: Target, *, name: bytes, address: Address | None = None) -> User:
    """One user as the node holds it, selectors included. Cost: one command.

    Errors: those of redis_node; Gone when there is no such user; NotPermitted without +acl|getuser.
    Source: ACL GETUSER.
    """
    with redis_node(target, address=address) as node:
        reply = node.command("ACL", "GETUSER", name)
    if reply is None:
        raise Gone("This node has no such user.", way_out="It may have been removed, or exist on another node.")
    return parse_getuser(name, reply)


# -- denials -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """Denials of one user for one reason on one thing. `commands` are what the clients ran, as the server noted."""

    username: bytes
    reason: bytes
    object: bytes
    context: bytes
    count: int
    newest_s: float
    oldest_s: float
    commands: tuple[bytes, ...]


def denials(target: Target, *, address: Address | None = None) -> tuple[Denial, ...]:
    """What was denied, the newest first.

    Shape: the newest 128 entries, grouped by user, reason and object. Units: seconds ago.
    Cost: one command. Errors: those of redis_node; NotPermitted without +acl|log. Source: ACL LOG.
    """
    with redis_node(target, address=address) as node:
        entries = node.command("ACL", "LOG", DENIALS_MOST)
    return grouped([dict(zip(entry[::2], entry[1::2], strict=False)) for entry in entries])


def grouped(entries: Sequence[dict[bytes, Reply]]) -> tuple[Denial, ...]:
    """Pure: entries of ACL LOG as denials."""
    groups: dict[tuple[bytes, bytes, bytes, bytes], list[dict[bytes, Reply]]] = {}
    for entry in entries:
        key = tuple(bytes(entry.get(part) or b"") for part in (b"username", b"reason", b"object", b"context"))
        groups.setdefault((key[0], key[1], key[2], key[3]), []).append(entry)
    found = [_denial(key, each) for key, each in groups.items()]
    return tuple(sorted(found, key=lambda denial: denial.newest_s))


def _denial(key: tuple[bytes, bytes, bytes, bytes], entries: Sequence[dict[bytes, Reply]]) -> Denial:
    ages = [_seconds(entry.get(b"age-seconds")) for entry in entries]
    commands = Counter(client_field(bytes(entry.get(b"client-info") or b""), b"cmd") for entry in entries)
    return Denial(
        username=key[0],
        reason=key[1],
        object=key[2],
        context=key[3],
        count=sum(int(entry.get(b"count") or 1) for entry in entries),
        newest_s=min(ages),
        oldest_s=max(ages),
        commands=tuple(command for command, _ in commands.most_common(5) if command not in (b"", b"NULL")),
    )


def _seconds(value: Reply) -> float:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return 0.0


# -- the same on every node --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A user that a node lacks, has besides, or holds with another rule than the first node."""

    name: bytes
    kind: str


def differences(first: Sequence[User], other: Sequence[User]) -> tuple[Difference, ...]:
    """Pure: what differs on `other`. Rules are compared whole, passwords' hashes included."""
    ours, theirs = {u.name: u.fingerprint for u in first}, {u.name: u.fingerprint for u in other}
    found = [Difference(name=name, kind="is missing") for name in ours.keys() - theirs.keys()]
    found += [Difference(name=name, kind="exists only here") for name in theirs.keys() - ours.keys()]
    both = ours.keys() & theirs.keys()
    found += [Difference(name=name, kind="has another rule or password") for name in both if ours[name] != theirs[name]]
    return tuple(sorted(found, key=lambda difference: difference.name))
