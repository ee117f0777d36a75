"""Which node of a Redis an action is for, and what that node says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.params import param
from apps.engine.errors import Gone
from apps.engine.target import Address, Target
from apps.upkeep.reads.info import Info, parse_info


@dataclass(frozen=True, slots=True, kw_only=True)
class OfNode:
    """The parameter that comes with the button of one node; empty for the first."""

    node: str = param("Node", fixed=True, default="")


def address_of(target: Target, params: OfNode) -> Address:
    """Errors: Gone where the node is not registered any more."""
    if not params.node:
        return target.address
    found = next((address for address in target.addresses if str(address) == params.node), None)
    if found is None:
        raise Gone(f"{params.node} is no node of {target.name}.", way_out="Choose one on the page of upkeep.")
    return found


def asked(node: RedisNode) -> Info:
    """Cost: one INFO."""
    return parse_info(node.command("INFO"))


def other_nodes(target: Target) -> str:
    count = len(target.addresses) - 1
    return f"{count} other registered node{'s' if count != 1 else ''} of this server: left alone" if count else ""
