"""The database's own refusal to change the audit: triggers, so that no code path of the console can, by mistake or on purpose.

They stop mistakes and whoever only has the console's account. Its owner can drop them; then the chain and its anchors speak.
"""

from __future__ import annotations

from typing import Any

TABLE = "operations_auditentry"
_SQLITE = {
    f"{TABLE}_no_{verb.lower()}": (
        f"CREATE TRIGGER IF NOT EXISTS {TABLE}_no_{verb.lower()} BEFORE {verb} ON {TABLE}"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    )
    for verb in ("UPDATE", "DELETE")
}
_POSTGRES = (
    f"CREATE OR REPLACE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
    f"CREATE OR REPLACE TRIGGER {TABLE}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE}"
    f" FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()",
)


def install(connection: Any) -> None:
    with connection.cursor() as cursor:
        for statement in _POSTGRES if connection.vendor == "postgresql" else _SQLITE.values():
            cursor.execute(statement)


def remove(connection: Any) -> None:
    """For tests that empty their tables, and for migrations backwards."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"DROP TRIGGER IF EXISTS {TABLE}_kept ON {TABLE}")
        else:
            for name in _SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
