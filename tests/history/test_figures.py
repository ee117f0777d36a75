"""docs/figures.md tells every figure of a real server, with its unit, and none that no server has."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from apps.engine.contracts.probe import Probe, bare
from apps.engine.target import Kind
from apps.history.catalogue import probes, probes_of
from tests.queues.test_outboxes import TABLE
from tests.real_servers import PostgresDatabase, RedisServer
from tests.targets import no_old_connections, postgres_target, redis_target

__all__ = ["no_old_connections"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "figures.md"
UNITS = {
    "_bytes_per_s": "bytes per second",
    "_per_s": "per second",
    "_bytes": "bytes",
    "_s": "seconds",
    "_count": "count",
    "_ratio": "ratio",
}
# Only while others are connected: tests/history/test_probes_redis.py, test_probes_postgres.py and test_standby.py see them.
OF_OTHERS = {"link", "link_down_s", "replica_behind_bytes", "replica_behind_s", "sessions_waiting_count"}


@cache
def documented() -> dict[str, dict[str, str]]:
    """By probe, the unit of each figure."""
    pages, _, _ = PAGE.read_text().partition("## What looking costs")
    sections = re.split(r"^## ", pages, flags=re.MULTILINE)[1:]
    return {
        section.split("\n", 1)[0].strip("`"): dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section, re.MULTILINE))
        for section in sections
    }


def charted() -> list[Probe]:
    return [probe for probe in probes().values() if not probe.configuration]


def shown(probe: Probe, names: set[str]) -> set[str]:
    return {*map(bare, names), *probe.rates, *probe.shares} - probe.counters


def furnish_redis(server: RedisServer) -> None:
    server.flush()
    server.command("SADD", "rq:queues", "rq:queue:mails")
    server.command("RPUSH", "rq:queue:mails", "job")
    server.command("HSET", "rq:job:job", "enqueued_at", "2026-11-24T10:00:00.000000Z")


def furnish_postgres(database: PostgresDatabase) -> None:
    database.sql(TABLE)
    database.sql("INSERT INTO outbox_event (topic, payload) VALUES ('a', '{}')")
    database.sql("CREATE TABLE orders (id serial PRIMARY KEY)")
    database.sql("INSERT INTO orders DEFAULT VALUES")
    database.sql("VACUUM orders")


def test_every_probe_has_its_section_and_no_other_has_one() -> None:
    assert set(documented()) == set(probes())


def test_every_figure_of_every_redis_is_told(each_redis: RedisServer) -> None:
    furnish_redis(each_redis)
    for probe in charted():
        if probe.kind is Kind.REDIS:
            names = set(probe.read(redis_target(each_redis)))
            assert shown(probe, names) <= set(documented()[probe.key]), probe.key


def test_every_figure_of_every_postgres_is_told(each_postgres: PostgresDatabase) -> None:
    furnish_postgres(each_postgres)
    for probe in charted():
        if probe.kind is Kind.POSTGRES:
            names = set(probe.read(postgres_target(each_postgres)))
            assert shown(probe, names) <= set(documented()[probe.key]), probe.key


def test_no_figure_is_told_that_no_server_has(redis_clean: RedisServer, postgres_database: PostgresDatabase) -> None:
    furnish_redis(redis_clean)
    furnish_postgres(postgres_database)
    for probe in charted():
        target = redis_target(redis_clean) if probe.kind is Kind.REDIS else postgres_target(postgres_database)
        there = shown(probe, set(probe.read(target)))
        assert set(documented()[probe.key]) - there <= OF_OTHERS, probe.key


@pytest.mark.parametrize("key", sorted(documented()))
def test_the_unit_of_a_figure_is_the_one_in_its_name(key: str) -> None:
    for name, unit in documented()[key].items():
        suffix = next((suffix for suffix in UNITS if name.endswith(suffix)), None)
        assert unit == (UNITS[suffix] if suffix else unit)
        assert suffix or unit in ("text", "0 or 1"), name


@pytest.mark.parametrize("kind", list(Kind))
def test_two_probes_of_a_server_never_tell_the_same_figure(kind: Kind) -> None:
    told = [name for probe in probes_of(kind) for name in documented()[probe.key]]
    assert len(told) == len(set(told))


def test_at_most_sixty_labels_of_one_figure(redis_clean: RedisServer) -> None:
    for count in range(100):
        redis_clean.command("SADD", "rq:queues", f"rq:queue:q{count}")
    for probe in probes_of(Kind.REDIS):
        names = list(probe.read(redis_target(redis_clean)))
        assert all(sum(bare(other) == bare(name) for other in names) <= 60 for name in names), probe.key
