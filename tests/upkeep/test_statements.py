"""Every statement runs on every PostgreSQL at hand, and gives what its header says."""

from __future__ import annotations

from dataclasses import fields

import pytest

from apps.engine.connections.postgres import postgres_node
from apps.engine.files import sql_text, statements
from apps.upkeep import relations, watching
from apps.upkeep.reads import indexes, postgres_settings, sequences, tables, wal
from apps.upkeep.reads.folder import FOLDER
from tests.real_servers import PostgresDatabase
from tests.upkeep.conftest import postgres_target

RECORDS = {
    "databases": tables.Database,
    "tables": tables.Table,
    "oldest_tables": tables.OldTable,
    "indexes": indexes.Index,
    "sequences": sequences.Sequence,
    "settings": postgres_settings.Row,
    "vacuums": wal.Vacuum,
    "archiver": wal.Archiver,
    "slots": wal.Slot,
    "relation": relations.Relation,
    "holders": relations.Holder,
    "lockers": relations.Locker,
    "leftovers": relations.Leftover,
    "at_work": watching.AtWork,
    "own_session": watching.OwnSession,
}
PARAMETERS = {
    "most": 10,
    "names": ["work_mem"],
    "schema": "pg_catalog",
    "name": "pg_class",
    "oid": 1259,
    "pid": 0,
    "began_at": "2026-01-01T00:00:00Z",
    "application": "signalbox run 0",
}


@pytest.mark.parametrize("name", sorted(statements(FOLDER)))
def test_a_statement_runs_and_its_header_names_its_columns(name: str, each_postgres: PostgresDatabase) -> None:
    with postgres_node(postgres_target(each_postgres)) as node:
        text = sql_text(FOLDER, name, major=node.version)
        needs = {key: value for key, value in PARAMETERS.items() if f"%({key})s" in text}
        if name in RECORDS:
            node.records(RECORDS[name], text, needs or None)
        else:
            node.rows(text, needs or None)
    header = " ".join(line for line in text.splitlines() if line.startswith("--"))
    for word in ("Versions:", "Rights:", "Parameters:", "Columns:", "Cost:"):
        assert word in header
    for field in fields(RECORDS[name]) if name in RECORDS else ():
        assert field.name in header
