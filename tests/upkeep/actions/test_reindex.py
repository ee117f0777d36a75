"""Indexes are rebuilt while others work, and nothing invalid is left when that does not come to its end."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.errors import NotPermitted, Unsupported
from apps.operations import execution
from apps.operations.planning import content_of
from tests.operations.door import outcome_of
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase
from tests.upkeep.actions.test_vacuum import role
from tests.upkeep.maintained import (
    HOSTILE,
    at,
    at_work,
    carrying_out,
    furnish,
    holding,
    indexes,
    params,
    quoted,
    slow_index,
    until,
)

__all__ = ["role"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
KEY = "upkeep.reindex"
FORMER: dict[str, dict[str, tuple[int, bool]]] = {}


def _prepare(database: PostgresDatabase) -> dict[str, Any]:
    furnish(database, "orders", "beside")
    FORMER[database.name] = indexes(database)
    return params(database, "x_0_orders")


def _changed(database: PostgresDatabase) -> bool:
    before, now = FORMER[database.name], indexes(database)
    moved = {name for name in before if now[name] != before[name]}
    return before.keys() == now.keys() and moved == {"x_0_orders"} and now["x_0_orders"][1]


SCENARIO = Scenario(prepare=_prepare, changed=_changed)


def leave_behind(database: PostgresDatabase, index: str) -> str:
    """A rebuild that somebody cancelled: what it leaves is invalid."""
    database.sql(f"ALTER DATABASE {database.name} SET test.slow_s = '0.02'")
    with database.connect() as other:
        other.execute("SET statement_timeout = '400ms'")
        with pytest.raises(Exception, match="statement timeout"):
            other.execute(f"REINDEX INDEX CONCURRENTLY {quoted(index)}")
    return next(name for name, (_, valid) in indexes(database).items() if not valid)


def test_one_index_is_another_file_and_all_others_are_the_same(
    each_postgres: PostgresDatabase, alice: Operator
) -> None:
    furnish(each_postgres, HOSTILE, "beside")
    name = next(name for name in indexes(each_postgres) if name.startswith("x_0"))
    before = indexes(each_postgres)
    door = at(each_postgres, alice)
    said = content_of(door.plans(KEY, **params(each_postgres, name)))
    run = door.does(KEY, **params(each_postgres, name))
    assert run.state == "done", run.outcome
    now = indexes(each_postgres)
    assert now.keys() == before.keys() and now[name][0] != before[name][0] and now[name][1]
    assert all(now[other] == before[other] for other in before if other != name)
    assert set(said.commands) <= {each["words"] for each in run.progress["commands"]} | {said.commands[-1]}


def test_all_indexes_of_a_table_and_of_no_other(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders", "beside")
    before = indexes(each_postgres)
    run = at(each_postgres, alice).does(KEY, **params(each_postgres, "orders"), pace="full")
    assert run.state == "done", run.outcome
    now = indexes(each_postgres)
    moved = {name for name in before if now.get(name) != before[name]}
    assert now.keys() == before.keys() and moved == {"orders_pkey", "x_0_orders"}


def test_stopped_by_hand_nothing_invalid_stays(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    slow_index(each_postgres, "orders")
    before = indexes(each_postgres)
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "slow_one")))
    with carrying_out(run):
        until(lambda: "slow_one_ccnew" in indexes(each_postgres))
        execution.ask_to_stop(run, by=door.actor)
    assert run.state == "cancelled", run.outcome
    assert indexes(each_postgres) == before, "the former index is the one in use, and nothing stands beside it"
    assert "slow_one_ccnew was removed again" in run.outcome


def test_what_an_earlier_rebuild_left_is_shown_and_left_alone(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    slow_index(each_postgres, "orders")
    left = leave_behind(each_postgres, "slow_one")
    kept = indexes(each_postgres)[left]
    door = at(each_postgres, alice)
    plan = door.plans(KEY, **params(each_postgres, "slow_one"))
    said = content_of(plan)
    assert said.sample is not None and said.sample.rows[0][0].name == left.encode() and said.warnings
    run = door.submits(plan)
    with carrying_out(run):
        until(lambda: sum(not valid for _, valid in indexes(each_postgres).values()) == 2)
        execution.ask_to_stop(run, by=door.actor)
    assert run.state == "cancelled"
    invalid = {name: each for name, each in indexes(each_postgres).items() if not each[1]}
    assert invalid == {left: kept}, "its own is gone, the other's is there"


def test_an_invalid_index_is_valid_after_it(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    each_postgres.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'x_0_orders'::regclass")
    door = at(each_postgres, alice)
    assert "invalid" in str(content_of(door.plans(KEY, **params(each_postgres, "x_0_orders"))).warnings)
    assert door.does(KEY, **params(each_postgres, "x_0_orders")).state == "done"
    assert indexes(each_postgres)["x_0_orders"][1]


def test_an_index_that_the_server_passes_over_is_told(each_postgres: PostgresDatabase, alice: Operator) -> None:
    """REINDEX TABLE CONCURRENTLY leaves invalid indexes out, with a warning."""
    furnish(each_postgres, "orders")
    each_postgres.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'x_0_orders'::regclass")
    run = at(each_postgres, alice).does(KEY, **params(each_postgres, "orders"))
    assert run.state == "partial" and "x_0_orders" in run.outcome


def test_a_lock_that_is_held_is_waited_for_some_seconds_and_nothing_is_begun(
    each_postgres: PostgresDatabase, alice: Operator
) -> None:
    furnish(each_postgres, "orders")
    before = indexes(each_postgres)
    with holding(each_postgres, "LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE") as pid:
        run = at(each_postgres, alice).does(KEY, **params(each_postgres, "x_0_orders"))
        assert run.state == "failed" and f"pid {pid}" in run.outcome, run.outcome
        assert indexes(each_postgres) == before


def test_it_waits_for_an_old_transaction_names_it_and_goes_on(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "x_0_orders")))
    before = indexes(each_postgres)

    def is_told() -> bool:
        run.refresh_from_db()
        return f"pid {pid}" in run.note

    with carrying_out(run):
        with holding(each_postgres, "UPDATE orders SET x = 1 WHERE id = 1") as pid:
            until(is_told)
        assert run.state == "running"
    assert run.state == "done", run.outcome
    assert indexes(each_postgres).keys() == before.keys()


def test_a_session_that_was_ended_on_the_server_leaves_nothing(
    each_postgres: PostgresDatabase, alice: Operator
) -> None:
    furnish(each_postgres, "orders")
    slow_index(each_postgres, "orders")
    before = indexes(each_postgres)
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "slow_one")))
    with carrying_out(run):
        until(lambda: "slow_one_ccnew" in indexes(each_postgres))
        each_postgres.sql("SELECT pg_terminate_backend(%s)", at_work(each_postgres, run)[0][0])
    assert run.state in ("failed", "unknown", "partial"), run.outcome
    assert indexes(each_postgres) == before


def test_an_exclusion_constraint_is_refused_before_it_is_tried(
    postgres_database: PostgresDatabase, alice: Operator
) -> None:
    postgres_database.sql("CREATE TABLE rooms (during int4range, EXCLUDE USING gist (during WITH &&))")
    with pytest.raises(Unsupported, match="exclusion"):
        at(postgres_database, alice).plans(KEY, **params(postgres_database, "rooms_during_excl"))


def test_a_partitioned_index_and_a_catalogue_are_refused(postgres_database: PostgresDatabase, alice: Operator) -> None:
    postgres_database.sql("CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    door = at(postgres_database, alice)
    with pytest.raises(Unsupported, match="partitioned"):
        door.plans(KEY, **params(postgres_database, "parts_pkey"))
    with pytest.raises(Unsupported, match="catalogue"):
        door.plans(KEY, **params(postgres_database, "pg_class", "pg_catalog"))


def test_an_account_that_may_maintain_but_does_not_own_says_what_it_could_not_remove(
    each_postgres: PostgresDatabase, alice: Operator, role: str
) -> None:
    """MAINTAIN rebuilds; only the owner drops what a rebuild left."""
    if each_postgres.server.version[0] < 17:
        pytest.skip("MAINTAIN came with PostgreSQL 17")
    furnish(each_postgres, "orders")
    slow_index(each_postgres, "orders")
    each_postgres.sql(f"GRANT MAINTAIN ON orders TO {role}")
    door = at(each_postgres, alice, role)
    run = door.submits(door.plans(KEY, **params(each_postgres, "slow_one")))
    with carrying_out(run):
        until(lambda: "slow_one_ccnew" in indexes(each_postgres))
        execution.ask_to_stop(run, by=door.actor)
    fact = next(fact for fact in outcome_of(run).facts if fact.label == "Left behind")
    assert "slow_one_ccnew could not be removed" in str(fact.words) and fact.signal == "warn"


def test_an_account_without_any_right_is_refused(each_postgres: PostgresDatabase, alice: Operator, role: str) -> None:
    furnish(each_postgres, "orders")
    before = indexes(each_postgres)
    with pytest.raises(NotPermitted):
        at(each_postgres, alice, role).plans(KEY, **params(each_postgres, "x_0_orders"))
    assert indexes(each_postgres) == before


def invalid_anywhere(database: PostgresDatabase) -> list[str]:
    """TOAST tables included."""
    rows = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"
    return [name for (name,) in database.sql(rows)]


def test_a_stopped_rebuild_of_a_table_leaves_nothing_on_its_toast_table_either(
    each_postgres: PostgresDatabase, alice: Operator
) -> None:
    furnish(each_postgres, "orders")
    slow_index(each_postgres, "orders")
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "orders")))
    with carrying_out(run):
        until(lambda: any("pg_toast" in name for name in invalid_anywhere(each_postgres)))
        execution.ask_to_stop(run, by=door.actor)
    assert run.state == "cancelled", run.outcome
    assert invalid_anywhere(each_postgres) == [], run.outcome
