"""Which side of a replication a Redis node is on."""

from __future__ import annotations

from apps.engine.connections.redis import RedisNode
from apps.engine.errors import Unsupported


def primary(node: RedisNode) -> None:
    """Cost: one INFO replication. Errors: Unsupported on a replica: what is written there is lost, or refused."""
    role = node.command("INFO", "replication")
    if b"role:slave" in role:
        raise Unsupported(f"{node.address} is a replica.", way_out="Do this on its primary.")
