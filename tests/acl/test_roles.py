"""Roles of PostgreSQL: attributes, trees of memberships, what is worst; on every version at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest

from apps.acl.reads import postgres
from apps.acl.reads.folder import FOLDER
from apps.engine.connections.postgres import postgres_node
from apps.engine.files import sql_text, statements
from tests.real_servers import PostgresDatabase
from tests.upkeep.conftest import postgres_target

RECORDS = {"roles": postgres.Role, "memberships": postgres.Membership}
NAMES = ("t_owner", "t_app", "t_late", "t_md5", "t_root", "t_stays")


@pytest.fixture
def roles(each_postgres: PostgresDatabase) -> Iterator[PostgresDatabase]:
    for name in NAMES:
        each_postgres.sql(f"DROP ROLE IF EXISTS {name}")
    each_postgres.sql("CREATE ROLE t_owner NOLOGIN")
    each_postgres.sql("CREATE ROLE t_root NOLOGIN SUPERUSER")
    each_postgres.sql("CREATE ROLE t_app LOGIN CONNECTION LIMIT 7 IN ROLE t_owner")
    each_postgres.sql("CREATE ROLE t_late LOGIN VALID UNTIL '2001-01-01' REPLICATION")
    each_postgres.sql("CREATE ROLE t_stays LOGIN VALID UNTIL 'infinity'")
    each_postgres.sql("CREATE ROLE t_md5 LOGIN PASSWORD 'md50123456789abcdef0123456789abcdef'")
    each_postgres.sql("GRANT t_root TO t_owner WITH ADMIN OPTION")
    each_postgres.sql("CREATE TABLE owned (x int)")
    each_postgres.sql("ALTER TABLE owned OWNER TO t_owner")
    yield each_postgres
    each_postgres.sql("DROP TABLE owned")
    for name in NAMES:
        each_postgres.sql(f"DROP ROLE {name}")


@pytest.mark.parametrize("name", sorted(statements(FOLDER)))
def test_a_statement_runs_and_its_header_names_its_columns(name: str, each_postgres: PostgresDatabase) -> None:
    with postgres_node(postgres_target(each_postgres)) as node:
        text = sql_text(FOLDER, name, major=node.version)
        parameters = {"most": 10} if "%(most)s" in text else None
        if name in RECORDS:
            node.records(RECORDS[name], text, parameters)
        else:
            assert node.rows(text, parameters)
    header = " ".join(line for line in text.splitlines() if line.startswith("--"))
    for field in fields(RECORDS[name]) if name in RECORDS else ():
        assert field.name in header


def test_what_is_wrong_with_a_role_is_said(roles: PostgresDatabase) -> None:
    found = postgres.roles(postgres_target(roles))
    reasons = {role.name: found.trouble(role) for role in found.roles}
    assert reasons["postgres"] == ("warn", "superuser that can sign in")
    assert reasons["t_late"] == ("warn", "its password has expired")
    assert reasons["t_md5"] == ("warn", "MD5 password")
    assert reasons["t_app"] == ("warn", "may become a superuser")
    assert reasons["t_stays"] == ("ok", "")
    assert reasons["t_owner"] == ("skip", "cannot sign in")
    signals = [found.trouble(role)[0] for role in found.worst_first()]
    assert signals == sorted(signals, key=("crit", "warn", "info", "ok", "skip").index)


def test_memberships_are_a_tree_with_their_options(roles: PostgresDatabase) -> None:
    found = postgres.roles(postgres_target(roles))
    app, root = found.named("t_app"), found.named("t_root")
    assert app is not None
    assert root is not None
    assert [(b.depth, b.role.name) for b in found.granted_to(app)] == [(1, "t_owner"), (2, "t_root")]
    assert "may grant it to others" in found.granted_to(app)[1].membership.words
    assert [(b.depth, b.role.name) for b in found.members_of(root)] == [(1, "t_owner"), (2, "t_app")]
    assert app.connection_limit == 7
    owner = found.named("t_owner")
    assert owner is not None
    assert owner.owned_count == 1


def test_a_membership_without_inherit_says_so(roles: PostgresDatabase) -> None:
    if roles.server.version >= (16, 0):
        roles.sql("GRANT t_owner TO t_stays WITH INHERIT FALSE, SET FALSE")
        expected = "has none of its rights"
    else:
        roles.sql("ALTER ROLE t_stays NOINHERIT")
        roles.sql("GRANT t_owner TO t_stays")
        expected = "has its rights only after SET ROLE"
    found = postgres.roles(postgres_target(roles))
    stays = found.named("t_stays")
    assert stays is not None
    assert found.granted_to(stays)[0].membership.words == expected


def test_a_plain_account_learns_nothing_of_passwords(roles: PostgresDatabase) -> None:
    found = postgres.roles(postgres_target(roles, username="t_stays"))
    assert found.passwords is None
    md5 = found.named("t_md5")
    assert md5 is not None
    assert found.password_of(md5) is None
    assert found.trouble(md5) == ("ok", "")


def test_no_hash_leaves_the_server(roles: PostgresDatabase) -> None:
    found = postgres.roles(postgres_target(roles))
    assert found.passwords is not None
    assert set(found.passwords.values()) <= {"none", "md5", "scram-sha-256", "other"}
    assert "0123456789abcdef" not in repr(found)
