"""What a cancelled rebuild left is removed; what only looks like it is not."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.contracts.action import Refused
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase
from tests.upkeep.actions.test_reindex import leave_behind
from tests.upkeep.maintained import at, furnish, indexes, params, slow_index

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
KEY = "upkeep.drop_leftover"


def _prepare(database: PostgresDatabase) -> dict[str, Any]:
    furnish(database, "orders", "beside")
    slow_index(database, "orders")
    return params(database, leave_behind(database, "slow_one"))


def _changed(database: PostgresDatabase) -> bool:
    found = indexes(database)
    return "slow_one" in found and len(found) == 5 and all(valid for _, valid in found.values())


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


def test_the_leftover_goes_and_every_other_index_stays(each_postgres: PostgresDatabase, alice: Operator) -> None:
    chosen = _prepare(each_postgres)
    before = indexes(each_postgres)
    run = at(each_postgres, alice).does(KEY, **chosen)
    assert run.state == "done", run.outcome
    gone = before.keys() - indexes(each_postgres).keys()
    assert gone == {chosen["name"].decode()}


@pytest.mark.parametrize(
    ("name", "is_valid", "words"),
    [("x_0_orders", True, "valid"), ("x_0_orders", False, "No rebuild names"), ("orders_ccnew", True, "valid")],
)
def test_any_other_index_is_refused(
    name: str, is_valid: bool, words: str, postgres_database: PostgresDatabase, alice: Operator
) -> None:
    furnish(postgres_database, "orders")
    postgres_database.sql("CREATE INDEX orders_ccnew ON orders (words)")
    postgres_database.sql("UPDATE pg_index SET indisvalid = %s WHERE indexrelid = %s::regclass", is_valid, name)
    before = indexes(postgres_database)
    with pytest.raises(Refused, match=words):
        at(postgres_database, alice).plans(KEY, **params(postgres_database, name))
    assert indexes(postgres_database) == before


def test_one_that_became_valid_meanwhile_is_not_dropped(postgres_database: PostgresDatabase, alice: Operator) -> None:
    chosen = _prepare(postgres_database)
    door = at(postgres_database, alice)
    run = door.submits(door.plans(KEY, **chosen))
    postgres_database.sql("ALTER DATABASE " + postgres_database.name + " SET test.slow_s = '0'")
    postgres_database.sql(f"REINDEX INDEX CONCURRENTLY {chosen['name'].decode()}")
    door.carries_out(run)
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert indexes(postgres_database)[chosen["name"].decode()][1]
