"""Where a key is: in a database of a node. Kept beside every original, so that an undo goes to where the key came from."""

from __future__ import annotations

from dataclasses import replace

from apps.engine.contracts.action import Refused
from apps.engine.target import Address, Target
from apps.keyspace.selecting import primaries


def place_of(db: int, address: Address | None = None) -> str:
    """ "3", and "3@10.0.0.1:6379" where several nodes have keys of their own."""
    return str(db) if address is None else f"{db}@{address}"


def at_place(target: Target, place: str) -> Target:
    """The target as the place names it. Errors: Refused for a node that is not registered any more."""
    db, _, node = place.partition("@")
    return replace(_at_node(target, node) if node else writable(target, db=int(db)), database=db)


def writable(target: Target, *, db: int, node: str = "") -> Target:
    """The node that takes the writes: the one that is named, or the only primary.

    Cost: INFO of each address where none is named and there are several. Errors: Refused, Unsupported where none is a primary.
    """
    if node or len(target.addresses) == 1:
        return replace(_at_node(target, node) if node else target, database=str(db))
    found = primaries(target, db=db)
    if len(found) > 1:
        raise Refused("Several nodes take writes.", way_out="Open the key on its node first.")
    return replace(target.at(found[0].address), database=str(db))


def _at_node(target: Target, node: str) -> Target:
    address = next((each for each in target.addresses if str(each) == node), None)
    if address is None:
        raise Refused(f"{node} is not among the registered nodes.")
    return target.at(address)
