"""The table of rights is true: with exactly its rules a feature works, and with one less the probe names that one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.engine.connections.redis import redis_node, rule_of
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.errors import NotPermitted
from apps.engine.target import Address, Profile
from apps.servers.capabilities import POSTGRES, REDIS, RIGHTS, Feature
from apps.servers.reads import probe
from apps.servers.reads.rights import Rights, missing_lines
from tests.real_servers import PostgresDatabase, RedisServer
from tests.servers.conftest import PASSWORD, postgres_target, redis_account, redis_target

CONNECT = next(f for f in REDIS if f.key == "connect")
DRYRUN = "+acl|dryrun"


def of(rights: Rights, feature: Feature) -> tuple[bool, str, str]:
    found = next(c for c in rights.capabilities if c.key == feature.key)
    return found.ok, found.missing, found.reason


def by_key(key: str) -> Feature:
    return next(feature for feature in REDIS if feature.key == key)


def rules_for(feature: Feature, server: RedisServer) -> list[str]:
    """The feature's own rules, those of signing in, and the dry run where there is one."""
    version = server.version[:2]
    dry = [DRYRUN] if version >= (7, 0) else []
    return list(dict.fromkeys([*CONNECT.rules(version), *dry, *feature.rules(version)]))


def skip_unless_known(feature: Feature, server: RedisServer) -> None:
    if server.version[:2] < feature.since:
        pytest.skip(f"{feature.key} came with Redis {feature.since}")
    if not feature.looks and server.version[:2] < (7, 0):
        pytest.skip("what changes a server is never tried, and there is no dry run")


@pytest.mark.parametrize("feature", REDIS, ids=lambda f: f.key)
def test_exactly_the_rules_of_the_table_allow_the_feature(feature: Feature, each_redis: RedisServer) -> None:
    skip_unless_known(feature, each_redis)
    redis_account(each_redis, rules_for(feature, each_redis))
    target = redis_target(each_redis, username="signalbox", password=PASSWORD, profile=feature.profile)
    assert of(probe(target), feature) == (True, "", "")
    if feature.looks:
        with redis_node(target, fresh=True) as node:
            replies = node.pipeline(feature.commands_of(each_redis.version[:2]))
        assert not [reply for reply in replies if isinstance(reply, NotPermitted)]
    each_redis.command("ACL", "LOG")  # still answers


@pytest.mark.parametrize("feature", REDIS, ids=lambda f: f.key)
def test_with_one_rule_less_the_probe_names_exactly_that_rule(feature: Feature, each_redis: RedisServer) -> None:
    skip_unless_known(feature, each_redis)
    all_rules = rules_for(feature, each_redis)
    for taken in feature.rules(each_redis.version[:2]):
        if taken in (DRYRUN, "+acl|whoami", "+client|setname"):
            continue  # signing in or the probe itself; told apart below
        redis_account(each_redis, [rule for rule in all_rules if rule != taken])
        target = redis_target(each_redis, username="signalbox", password=PASSWORD, profile=feature.profile)
        ok, missing, reason = of(probe(target), feature)
        assert (ok, missing) == (False, f"ACL SETUSER signalbox {taken}")
        assert reason == feature.without


def test_an_account_that_may_not_dry_run_is_found_out_by_trying(each_redis: RedisServer) -> None:
    redis_account(each_redis, ["+ping", "+client|setname", "+info", "+time", "+slowlog|get"])
    rights = probe(redis_target(each_redis, username="signalbox", password=PASSWORD))
    slow = next(c for c in rights.capabilities if c.key == "slow.log")
    assert slow.missing == "ACL SETUSER signalbox +slowlog|len"
    assert each_redis.command("CLIENT", "LIST")  # nobody was thrown out


def test_a_dry_run_leaves_nothing_in_the_acl_log(redis_clean: RedisServer) -> None:
    redis_account(redis_clean, [*CONNECT.rules((7, 0)), DRYRUN])
    rights = probe(redis_target(redis_clean, username="signalbox", password=PASSWORD))
    assert len([c for c in rights.capabilities if not c.ok]) > 10
    assert redis_clean.command("ACL", "LOG") == []


def test_an_account_without_the_dry_run_leaves_no_more_entries_than_there_are_commands(
    redis_clean: RedisServer,
) -> None:
    redis_account(redis_clean, ["+ping", "+client|setname"])
    probe(redis_target(redis_clean, username="signalbox", password=PASSWORD))
    entries = redis_clean.command("ACL", "LOG")
    assert 0 < len(entries) <= len({rule_of(words) for f in REDIS if f.looks for words in f.commands})


def test_a_probe_writes_nothing(each_redis: RedisServer) -> None:
    each_redis.command("SET", "a", "1")
    probe(redis_target(each_redis))
    assert each_redis.command("DBSIZE") == 1
    assert each_redis.command("GET", "a") == b"1"


def test_a_command_that_the_service_took_away_is_absent_and_not_denied(
    redis_clean: RedisServer, tmp_path: Path
) -> None:
    assert all(c.ok for c in probe(redis_target(redis_clean)).capabilities), "the administrator may do everything"
    binary = redis_clean.embedded.binary
    with EmbeddedRedis(binary, tmp_path / "managed", settings={"rename-command": 'SLOWLOG ""'}) as managed:
        address = Address(host=str(managed.socket), port=0)
        slow = of(probe(redis_target(redis_clean, addresses=(address,))), by_key("slow.log"))
    assert slow == (
        False,
        "",
        "This server has no SLOWLOG GET, SLOWLOG LEN: its version, or the service that runs it, leaves it out.",
    )


def test_an_older_redis_says_which_version_brought_a_feature(redis_servers_all: tuple[RedisServer, ...]) -> None:
    older = [server for server in redis_servers_all if server.version < (7, 0, 0)]
    if not older:
        pytest.skip("no Redis older than 7.0 at hand")
    rights = probe(redis_target(older[0]))
    latency = next(c for c in rights.capabilities if c.key == "latency.commands")
    assert (latency.ok, latency.missing) == (False, "")
    assert "7.0" in latency.reason


def test_what_is_missing_is_one_line_for_a_redis(redis_clean: RedisServer) -> None:
    redis_account(redis_clean, [*CONNECT.rules((7, 0)), DRYRUN, "+time", "+slowlog|get"])
    target = redis_target(redis_clean, username="signalbox", password=PASSWORD)
    line = missing_lines([c for c in probe(target).capabilities if c.key in ("slow.log", "acl.log")])
    assert line == "ACL SETUSER signalbox +acl|log +slowlog|len"
    redis_clean.command(*line.split())
    assert missing_lines([c for c in probe(target).capabilities if c.key in ("slow.log", "acl.log")]) == ""


# -- PostgreSQL ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def role(each_postgres: PostgresDatabase) -> Iterator[str]:
    """A role without any right of its own, gone after the test."""
    name = f"sb_{uuid.uuid4().hex[:8]}"
    each_postgres.sql(f"CREATE ROLE {name} LOGIN")
    yield name
    each_postgres.sql(f"DROP OWNED BY {name}")
    each_postgres.sql(f"DROP ROLE {name}")


WITH_RIGHTS = [feature for feature in POSTGRES if feature.rights]


def applicable(feature: Feature, database: PostgresDatabase) -> bool:
    return all(RIGHTS[name].since <= database.server.version[0] for name in feature.rights) and (
        "pg_stat_statements" not in feature.rights or database.server.has_statement_statistics
    )


@pytest.mark.parametrize("feature", WITH_RIGHTS, ids=lambda f: f.key)
def test_exactly_the_grants_that_are_missing_allow_the_feature(
    feature: Feature, each_postgres: PostgresDatabase, role: str
) -> None:
    if not applicable(feature, each_postgres):
        pytest.skip("this server lacks the right or the extension")
    target = postgres_target(each_postgres.server, each_postgres.name, username=role, profile=feature.profile)
    if "select_pg_stat_statements" in feature.rights:
        each_postgres.sql("REVOKE SELECT ON pg_stat_statements FROM PUBLIC")
    ok, missing, reason = of(probe(target), feature)
    assert (ok, reason) == (False, feature.without)
    wanted = [RIGHTS[name].grant.format(user=f'"{role}"') for name in feature.rights if name != "pg_stat_statements"]
    assert missing.splitlines() == wanted
    for line in missing.splitlines():
        each_postgres.sql(line)
    assert of(probe(target), feature) == (True, "", "")


@pytest.mark.parametrize("feature", [f for f in POSTGRES if not f.rights], ids=lambda f: f.key)
def test_what_needs_no_grant_is_there_for_any_account(
    feature: Feature, each_postgres: PostgresDatabase, role: str
) -> None:
    target = postgres_target(each_postgres.server, each_postgres.name, username=role)
    assert of(probe(target), feature) == (True, "", "")


def test_a_right_of_a_newer_version_is_named_with_that_version(each_postgres: PostgresDatabase, role: str) -> None:
    major = each_postgres.server.version[0]
    target = postgres_target(each_postgres.server, each_postgres.name, username=role, profile=Profile.OPERATE)
    maintain = next(c for c in probe(target).capabilities if c.key == "upkeep.maintain")
    assert maintain.missing == ("" if major < 17 else f'GRANT pg_maintain TO "{role}";')
    assert ("PostgreSQL 17" in maintain.reason) == (major < 17)


def test_who_may_maintain_one_table_may_press_the_button(each_postgres: PostgresDatabase, role: str) -> None:
    """The plan tells of each table: an owner needs no grant, before 17 there is none."""
    target = postgres_target(each_postgres.server, each_postgres.name, username=role, profile=Profile.OPERATE)
    maintain = next(feature for feature in POSTGRES if feature.key == "upkeep.maintain")
    each_postgres.sql("CREATE TABLE orders (id int)")
    assert not of(probe(target), maintain)[0]
    each_postgres.sql(f"ALTER TABLE orders OWNER TO {role}")
    assert of(probe(target), maintain) == (True, "", "")
    each_postgres.sql("ALTER TABLE orders OWNER TO CURRENT_USER")
    if each_postgres.server.version[0] >= 17:
        each_postgres.sql(f"GRANT MAINTAIN ON orders TO {role}")
        assert of(probe(target), maintain) == (True, "", "")
        each_postgres.sql(f"REVOKE MAINTAIN ON orders FROM {role}")


def test_a_superuser_may_maintain_whatever_the_version(each_postgres: PostgresDatabase) -> None:
    target = postgres_target(each_postgres.server, each_postgres.name, profile=Profile.OPERATE)
    assert next(c for c in probe(target).capabilities if c.key == "upkeep.maintain").ok


def test_a_database_without_the_extension_is_told_to_create_it(each_postgres: PostgresDatabase, role: str) -> None:
    if each_postgres.server.has_statement_statistics:
        each_postgres.sql("DROP EXTENSION pg_stat_statements")
    each_postgres.sql(f"GRANT pg_read_all_stats TO {role}")
    target = postgres_target(each_postgres.server, each_postgres.name, username=role)
    statements = next(c for c in probe(target).capabilities if c.key == "slow.statements")
    assert statements.missing == "CREATE EXTENSION pg_stat_statements;"


def test_a_role_with_a_hostile_name_is_quoted(postgres_database: PostgresDatabase) -> None:
    name = 'x"; DROP TABLE t; --'
    quoted = '"' + name.replace('"', '""') + '"'
    postgres_database.sql(f"CREATE ROLE {quoted} LOGIN")
    try:
        target = postgres_target(postgres_database.server, postgres_database.name, username=name)
        settings = next(c for c in probe(target).capabilities if c.key == "upkeep.settings")
        assert settings.missing == f"GRANT pg_read_all_settings TO {quoted};"
    finally:
        postgres_database.sql(f"DROP ROLE {quoted}")
