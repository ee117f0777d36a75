"""One table is analyzed: its statistics are new, nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.errors import NotPermitted
from apps.operations import execution
from apps.operations.planning import content_of
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase
from tests.upkeep.actions.test_vacuum import role
from tests.upkeep.maintained import HOSTILE, at, at_work, carrying_out, furnish, params, slow_index, until

__all__ = ["role"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
KEY = "upkeep.analyze_table"


def analyzed(database: PostgresDatabase) -> set[str]:
    """The tables that somebody analyzed by hand, and that a plan knows now."""
    rows = "SELECT relname::text FROM pg_stat_user_tables WHERE analyze_count > 0"
    return {name for (name,) in database.sql(rows)}


def _prepare(database: PostgresDatabase) -> dict[str, Any]:
    furnish(database, "orders", "beside")
    return params(database, "orders")


SCENARIO = Scenario(prepare=_prepare, changed=lambda database: analyzed(database) == {"orders"})


def test_its_statistics_are_new_and_no_other_tables(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, HOSTILE, "beside")
    run = at(each_postgres, alice).does(KEY, **params(each_postgres, HOSTILE))
    assert run.state == "done", run.outcome
    rows = each_postgres.sql("SELECT tablename::text, count(*) FROM pg_stats WHERE schemaname = 'public' GROUP BY 1")
    assert rows == [(HOSTILE, 3)], "of three columns, and of one table"


def test_a_partitioned_table_is_analyzed_as_a_whole(each_postgres: PostgresDatabase, alice: Operator) -> None:
    each_postgres.sql("CREATE TABLE parts (id int) PARTITION BY RANGE (id)")
    each_postgres.sql("CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)")
    each_postgres.sql("INSERT INTO parts SELECT n FROM generate_series(0, 99) n")
    door = at(each_postgres, alice)
    said = content_of(door.plans(KEY, **params(each_postgres, "parts")))
    assert any("1 partitions" in str(fact.words) for fact in said.facts)
    assert door.does(KEY, **params(each_postgres, "parts")).state == "done"
    found = {name for (name,) in each_postgres.sql("SELECT tablename::text FROM pg_stats WHERE schemaname = 'public'")}
    assert found == {"parts", "part_1"}


def test_an_account_that_may_not_is_refused_before_anything(
    each_postgres: PostgresDatabase, alice: Operator, role: str
) -> None:
    furnish(each_postgres, "orders")
    with pytest.raises(NotPermitted, match="maintain"):
        at(each_postgres, alice, role).plans(KEY, **params(each_postgres, "orders"))
    assert analyzed(each_postgres) == set()


def test_the_owner_of_the_database_may(each_postgres: PostgresDatabase, alice: Operator, role: str) -> None:
    furnish(each_postgres, "orders")
    each_postgres.sql(f"ALTER DATABASE {each_postgres.name} OWNER TO {role}")
    try:
        assert at(each_postgres, alice, role).does(KEY, **params(each_postgres, "orders")).state == "done"
    finally:
        each_postgres.sql(f"ALTER DATABASE {each_postgres.name} OWNER TO CURRENT_USER")
    assert analyzed(each_postgres) == {"orders"}


def test_stopped_by_hand_the_former_statistics_stay(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    slow_index(each_postgres, "orders")
    before = each_postgres.sql("SELECT count(*) FROM pg_statistic")
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "orders")))
    with carrying_out(run):
        until(lambda: at_work(each_postgres, run))
        execution.ask_to_stop(run, by=door.actor)
    assert run.state == "cancelled", run.outcome
    assert analyzed(each_postgres) == set() and each_postgres.sql("SELECT count(*) FROM pg_statistic") == before
