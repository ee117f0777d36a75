"""The largest tables and indexes of the registered database."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: bytes, share of dead rows and time since the last vacuum of the 50 largest tables; bytes of the 50 largest indexes.

    Cost: two statements, 20 ms each on 10,000 relations. Errors: those of postgres_node. Source: pg_class, pg_table_size, pg_relation_size,
    statistics of tables. A relation that is held exclusively has no size.
    """
    return answers(target, "tables", "indexes")


PROBE = Probe(
    key="postgres_tables",
    kind=Kind.POSTGRES,
    read=read,
    cost="two statements, the files of 100 relations",
    every_s=900.0,
    essential=False,
)
