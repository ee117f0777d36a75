"""A database is dumped, restored into another one by pg_restore, and is the same."""

from __future__ import annotations

import pytest

from apps.accounts.models import Operator
from tests.backups.kept import only_backup, whole
from tests.operations.door import Door, actor_for, outcome_of, register_postgres
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "backups.take_dump"


def _prepare(database: PostgresDatabase) -> dict[str, object]:
    database.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    database.sql("INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 500) n")
    return {}


def _changed(database: PostgresDatabase) -> bool:
    return only_backup("shop").problem == ""


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


def test_what_was_taken(postgres_database: PostgresDatabase, alice: Operator, private_folders: None) -> None:
    _prepare(postgres_database)
    run = Door(actor=actor_for(alice), server=register_postgres(postgres_database)).does(KEY)
    print(outcome_of(run), run.progress)
    assert run.state == "done"
    print(only_backup("shop").manifest)
    assert whole(only_backup("shop"), "database.dump").startswith(b"PGDMP")
    print(whole(only_backup("shop"), "roles.sql").decode())
