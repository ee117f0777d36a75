"""Which keys an action by pattern is about: the pattern, the type, and the nodes that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from apps.engine.connections.redis import Command, redis_node
from apps.engine.contracts.action import Refused
from apps.engine.errors import Unsupported
from apps.engine.target import Address, Target
from apps.keyspace.glob import Glob, PatternRefused, compiled, escaped

STEP = 500
TYPES = ("string", "hash", "list", "set", "zset", "stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What matches: by the server (MATCH, TYPE), and once more here, so that nothing else is ever touched."""

    glob: Glob
    key_type: str
    db: int

    def scan(self, cursor: str, count: int) -> Command:
        words: list[str | bytes | int] = ["SCAN", cursor, "MATCH", self.glob.source, "COUNT", count]
        return [*words, "TYPE", self.key_type] if self.key_type else words

    def names(self, reply: Sequence[object]) -> tuple[str, list[bytes]]:
        """(the next cursor, the distinct names of one reply that fit)."""
        cursor, found = reply
        assert isinstance(cursor, bytes) and isinstance(found, list)
        return cursor.decode("ascii"), [name for name in dict.fromkeys(found) if self.glob.matches(name)]


def selection(*, folder: bytes, pattern: bytes, key_type: str, db: int) -> Selection:
    """Errors: Refused for a pattern that costs too much, or that fits everything."""
    if key_type and key_type not in TYPES:
        raise Refused("There is no such type of key.", field="key_type")
    try:
        glob = compiled(escaped(folder) + (pattern or b"*"))
    except PatternRefused as refused:
        raise Refused(str(refused), field="pattern") from refused
    if not any(byte not in b"*?[]^-\\" for byte in glob.source):
        raise Refused("This fits every key. Name at least one letter of them.", field="pattern")
    return Selection(glob=glob, key_type=key_type, db=db)


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """A node that takes writes. `run_id` changes when it restarts."""

    address: Address
    run_id: str
    keys_count: int


def primaries(target: Target, *, db: int) -> list[Primary]:
    """The nodes of a target that take writes, asked one by one.

    Cost: INFO server and replication, DBSIZE of each address. Errors: Unsupported where none is a primary; those
    of redis_node for a node that does not answer: half a deployment is not changed unknowingly.
    """
    found = [primary for address in target.addresses if (primary := _primary(target, address, db))]
    if not found:
        raise Unsupported("None of the registered addresses is a primary.", way_out="Register the primary.")
    return found


def _primary(target: Target, address: Address, db: int) -> Primary | None:
    with redis_node(replace(target, database=str(db)), address=address) as node:
        replication, server, size = node.replies([("INFO", "replication"), ("INFO", "server"), ("DBSIZE",)])
    if b"role:slave" in replication:
        return None
    return Primary(address=address, run_id=_field(server, b"run_id"), keys_count=int(size))


def _field(info: bytes, name: bytes) -> str:
    return next((line.partition(b":")[2].decode() for line in info.splitlines() if line.startswith(name + b":")), "")


Item = TypeVar("Item")


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
