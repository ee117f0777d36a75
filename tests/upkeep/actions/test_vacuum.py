"""One table is vacuumed: what it says before, what it touches, and how it ends when something is in the way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.contracts.action import Refused
from apps.engine.errors import Busy, Gone, NotPermitted, Unsupported
from apps.operations import execution
from apps.operations.planning import content_of
from tests.operations.door import outcome_of
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase
from tests.upkeep.maintained import (
    HOSTILE,
    at,
    at_work,
    carrying_out,
    furnish,
    holding,
    params,
    quoted,
    slow_vacuum,
    until,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
KEY = "upkeep.vacuum"


def vacuumed(database: PostgresDatabase) -> set[str]:
    """The tables that somebody vacuumed by hand."""
    return {name for (name,) in database.sql("SELECT relname::text FROM pg_stat_user_tables WHERE vacuum_count > 0")}


def _prepare(database: PostgresDatabase) -> dict[str, Any]:
    furnish(database, "orders", "beside")
    return params(database, "orders")


SCENARIO = Scenario(prepare=_prepare, changed=lambda database: vacuumed(database) == {"orders"})


@pytest.fixture
def role(each_postgres: PostgresDatabase) -> Iterator[str]:
    name = f"sb_{uuid.uuid4().hex[:8]}"
    each_postgres.sql(f"CREATE ROLE {name} LOGIN")
    yield name
    each_postgres.sql(f"DROP OWNED BY {name}")
    each_postgres.sql(f"DROP ROLE {name}")


def test_dead_rows_go_and_the_table_beside_keeps_its_own(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders", "beside")
    before = each_postgres.sql("SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o")
    door = at(each_postgres, alice)
    said = content_of(door.plans(KEY, **params(each_postgres, "orders")))
    assert 'VACUUM (ANALYZE) "public"."orders"' in said.commands
    run = door.does(KEY, **params(each_postgres, "orders"))
    assert run.state == "done", run.outcome
    assert vacuumed(each_postgres) == {"orders"}
    assert each_postgres.sql("SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o") == before
    sent = [each["words"] for each in run.progress["commands"]]
    assert set(said.commands) <= set(sent), "what was planned is what was sent"
    assert not [words for words in sent if words.startswith("--")], "the header of a file is no command"
    assert run.done_count == run.total_count


def test_a_table_with_a_hostile_name_and_schema_is_the_one_that_is_vacuumed(
    each_postgres: PostgresDatabase, alice: Operator
) -> None:
    schema = "s %s\"'"
    furnish(each_postgres, "t")
    each_postgres.sql(f"CREATE SCHEMA {quoted(schema)}")
    each_postgres.sql(f"CREATE TABLE {quoted(schema)}.{quoted(HOSTILE)} (id int)")
    run = at(each_postgres, alice).does(KEY, **params(each_postgres, HOSTILE, schema))
    assert run.state == "done", run.outcome
    sent = [each["words"] for each in run.progress["commands"] if each["words"].startswith("VACUUM")]
    assert len(sent) == 1 and "-- still the name" in sent[0] and "\u202e" not in sent[0], "nothing of it is hidden"
    assert vacuumed(each_postgres) == {HOSTILE}


def test_an_account_that_may_not_is_told_the_grant_and_with_it_may(
    each_postgres: PostgresDatabase, alice: Operator, role: str
) -> None:
    furnish(each_postgres, "orders", "beside")
    door = at(each_postgres, alice, role)
    with pytest.raises(NotPermitted) as refused:
        door.plans(KEY, **params(each_postgres, "orders"))
    grant = refused.value.missing.partition(", which")[0]
    assert ("GRANT MAINTAIN ON TABLE" in grant) == (each_postgres.server.version[0] >= 17)
    each_postgres.sql(grant)
    assert door.does(KEY, **params(each_postgres, "orders")).state == "done"
    assert vacuumed(each_postgres) == {"orders"}


def test_a_right_that_went_away_is_no_success(each_postgres: PostgresDatabase, alice: Operator, role: str) -> None:
    """PostgreSQL passes over the table with a warning and says VACUUM."""
    furnish(each_postgres, "orders")
    each_postgres.sql(f"ALTER TABLE orders OWNER TO {role}")
    door = at(each_postgres, alice, role)
    run = door.submits(door.plans(KEY, **params(each_postgres, "orders"), analyze=False))
    each_postgres.sql("ALTER TABLE orders OWNER TO CURRENT_USER")
    door.carries_out(run)
    assert run.state == "failed" and "maintain" in run.outcome
    assert vacuumed(each_postgres) == set()


def test_a_warning_of_the_server_is_a_failure(
    each_postgres: PostgresDatabase, alice: Operator, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right goes after the last look: only the server's warning tells."""
    from apps.upkeep import maintaining

    furnish(each_postgres, "orders")
    each_postgres.sql(f"ALTER TABLE orders OWNER TO {role}")
    door = at(each_postgres, alice, role)
    run = door.submits(door.plans(KEY, **params(each_postgres, "orders")))
    settings = maintaining.notices_a_death

    def and_then(version: int) -> Any:
        each_postgres.sql("ALTER TABLE orders OWNER TO CURRENT_USER")
        return settings(version)

    monkeypatch.setattr(maintaining, "notices_a_death", and_then)
    door.carries_out(run)
    assert run.state == "failed" and "passed over" in run.outcome, run.outcome
    assert vacuumed(each_postgres) == set()


def test_a_lock_of_somebody_else_is_not_waited_for_and_named(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    door = at(each_postgres, alice)
    with holding(each_postgres, "LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE") as pid:
        said = content_of(door.plans(KEY, **params(each_postgres, "orders")))
        assert any(f"pid {pid}" in str(fact.words) for fact in said.facts)
        run = door.does(KEY, **params(each_postgres, "orders"))
        assert run.state == "failed" and f"pid {pid}" in run.outcome and "gave up" in run.outcome
    assert vacuumed(each_postgres) == set()


def test_a_table_that_is_locked_against_looking_is_told_at_once(
    postgres_database: PostgresDatabase, alice: Operator
) -> None:
    furnish(postgres_database, "orders")
    door = at(postgres_database, alice)
    with holding(postgres_database, "LOCK TABLE orders"), pytest.raises(Busy, match="holds a lock"):
        door.plans(KEY, **params(postgres_database, "orders"))


def test_stopped_by_hand_it_ends_and_others_sessions_do_not(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    slow_vacuum(each_postgres)
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "orders"), pace="full"))
    with each_postgres.connect() as other, carrying_out(run):
        until(lambda: at_work(each_postgres, run))
        execution.ask_to_stop(run, by=door.actor)
        until(lambda: not at_work(each_postgres, run))
        assert other.execute("SELECT 1").fetchall() == [(1,)]
    assert run.state == "cancelled" and "stays" in run.outcome, run.outcome
    assert each_postgres.sql("SELECT count(*) FROM orders") == [(1000,)]


def test_cancelled_on_the_server_it_says_so(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders")
    slow_vacuum(each_postgres)
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "orders"), pace="full"))
    with carrying_out(run):
        until(lambda: at_work(each_postgres, run))
        each_postgres.sql("SELECT pg_cancel_backend(%s)", at_work(each_postgres, run)[0][0])
    assert run.state in ("partial", "failed") and "Somebody cancelled it on the server" in run.outcome


def test_progress_tells_the_phase_and_the_pages(each_postgres: PostgresDatabase, alice: Operator) -> None:
    furnish(each_postgres, "orders", rows=20_000)
    slow_vacuum(each_postgres)
    door = at(each_postgres, alice)
    run = door.submits(door.plans(KEY, **params(each_postgres, "orders"), pace="full"))

    def is_told() -> bool:
        run.refresh_from_db()
        return "scanning heap" in run.note and bool(run.total_count)

    with carrying_out(run):
        until(is_told)
        execution.ask_to_stop(run, by=door.actor)
    assert run.state == "cancelled"


def test_who_keeps_dead_rows_is_named(each_postgres: PostgresDatabase, alice: Operator, monkeypatch: Any) -> None:
    from apps.upkeep import relations

    monkeypatch.setattr(relations, "LONG_S", 0)
    furnish(each_postgres, "orders")
    keeps = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM orders")
    with holding(each_postgres, *keeps) as pid:
        said = content_of(at(each_postgres, alice).plans(KEY, **params(each_postgres, "orders")))
    fact = next(fact for fact in said.facts if fact.label == "Keeps dead rows")
    assert f"pid {pid}" in str(fact.words) and fact.signal == "warn"


@pytest.mark.parametrize(
    ("made", "name", "words"),
    [
        ("CREATE TABLE parts (id int) PARTITION BY RANGE (id)", "parts", "partitioned"),
        ("CREATE VIEW seen AS SELECT 1", "seen", "no rows"),
        ("CREATE SEQUENCE counted", "counted", "no rows"),
        ("CREATE TABLE t (id int PRIMARY KEY)", "t_pkey", "an index"),
    ],
)
def test_what_holds_no_rows_of_its_own_is_refused_with_what_to_do(
    made: str, name: str, words: str, postgres_database: PostgresDatabase, alice: Operator
) -> None:
    postgres_database.sql(made)
    with pytest.raises(Unsupported, match=words):
        at(postgres_database, alice).plans(KEY, **params(postgres_database, name))


def test_a_temporary_table_of_another_session_is_left_alone(
    postgres_database: PostgresDatabase, alice: Operator
) -> None:
    with postgres_database.connect() as other:
        other.execute("CREATE TEMP TABLE mine (id int)")
        [(schema,)] = other.execute("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()").fetchall()
        with pytest.raises(Unsupported, match="temporary"):
            at(postgres_database, alice).plans(KEY, **params(postgres_database, "mine", schema))


def test_a_materialized_view_is_vacuumed(each_postgres: PostgresDatabase, alice: Operator) -> None:
    each_postgres.sql("CREATE MATERIALIZED VIEW kept AS SELECT n FROM generate_series(1, 100) n")
    assert at(each_postgres, alice).does(KEY, **params(each_postgres, "kept")).state == "done"


def test_a_table_that_was_made_anew_is_not_the_one_that_was_planned(
    postgres_database: PostgresDatabase, alice: Operator
) -> None:
    furnish(postgres_database, "orders")
    door = at(postgres_database, alice)
    run = door.submits(door.plans(KEY, **params(postgres_database, "orders")))
    postgres_database.sql("DROP TABLE orders")
    furnish(postgres_database, "orders")
    door.carries_out(run)
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert vacuumed(postgres_database) == set()


@pytest.mark.parametrize("name", [b"", b"x" * 64, b"\xff", b"a\0b", b"not_there"])
def test_a_name_that_no_table_has_is_refused(name: bytes, postgres_database: PostgresDatabase, alice: Operator) -> None:
    chosen = {**params(postgres_database, "t"), "name": name}
    with pytest.raises((Gone, Refused), match=r"not there|such a name|no UTF-8"):
        at(postgres_database, alice).plans(KEY, **chosen)


def test_the_outcome_says_what_was_and_what_is(postgres_database: PostgresDatabase, alice: Operator) -> None:
    furnish(postgres_database, "orders")
    outcome = outcome_of(at(postgres_database, alice).does(KEY, **params(postgres_database, "orders"), freeze=True))
    assert {figure.label for figure in outcome.figures} >= {"Took", "Size", "Dead rows"}
