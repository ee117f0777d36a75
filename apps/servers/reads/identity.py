"""What a server says it is: product, version, role, nodes, size. One round trip to a Redis, two statements to a PostgreSQL."""

from __future__ import annotations

from apps.engine.target import Kind, Target
from apps.servers.reads import postgres_identity, redis_identity
from apps.servers.reads.records import Identity, Node

__all__ = ["Identity", "Node", "identify"]


def identify(target: Target, *, fresh: bool = True) -> Identity:
    """What answers at the first address of a target.

    Shape: one Identity; at most 200 nodes. Units: bytes, seconds, counts; None is "the server did not say".
    `fresh` connects anew, as a test of the connection has to; a page that only shows the server need not.
    Cost: one pipeline of five commands to a Redis, two statements to a PostgreSQL; under 2 ms beside the round trips.
    Errors: every EngineError of connecting; a missing right costs a figure, never the record.
    Source: HELLO, INFO, DBSIZE, ACL WHOAMI, CLUSTER NODES; pg_stat_replication, pg_stat_ssl, pg_database_size.
    """
    identified = redis_identity.identify if target.kind == Kind.REDIS else postgres_identity.identify
    return identified(target, fresh=fresh)
