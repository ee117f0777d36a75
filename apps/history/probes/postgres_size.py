"""The size of a PostgreSQL server's databases: it walks their files, so it is asked rarely."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: size_bytes, size_unseen_count (databases this account may not enter, so not counted). Units: bytes.

    Cost: one statement; a file status a relation, about 5 ms for a thousand. Errors: those of postgres_node; TimedOut on
    servers with very many relations. Source: pg_database_size.
    """
    return answers(target, "size")


PROBE = Probe(
    key="postgres_size",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, a file status a relation",
    every_s=300.0,
    essential=False,
)
