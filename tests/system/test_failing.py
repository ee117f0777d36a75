"""A server that is down, hangs, is slow, or allows half of it: each page stands, says so, and does so in time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.target import Profile
from apps.servers.models import Credential, Server
from tests.network import HangingServer, SlowProxy
from tests.system.conftest import World
from tests.system.routes import Route, server_pages

KINDS = ("redis", "postgres")
# A page asks several panels; each may wait once.
IN_TIME_S = 8.0
UNASKED = ("backups:server", "servers:capabilities", "monitoring:server", "monitoring:chart")


def pages(kind: str) -> list[Route]:
    """All that ask the server: not the list of backups, nor what the last probe found, nor what was sampled."""
    return [r for r in server_pages(kind) if r.name not in UNASKED]


def broken(kind: str, host: str, port: int) -> Server:
    return Server.objects.create(
        key="broken",
        kind=kind,
        environment="dev",
        addresses=[{"host": host, "port": port}],
        connect_timeout_s=0.5,
        read_timeout_s=0.5,
    )


def timed(client: Client, path: str) -> tuple[int, str, float]:
    begun = time.monotonic()
    response = client.get(path)
    return response.status_code, response.content.decode(), time.monotonic() - begun


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_server_is_named_on_every_page(
    kind: str, refusing_port: int, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    broken(kind, "127.0.0.1", refusing_port)
    client = as_operator(alice)
    for route in pages(kind):
        status, text, took_s = timed(client, route.path("broken", kind))
        assert status == 200, route.name
        assert "Connection refused by 127.0.0.1" in text or "cannot be reached" in text, route.name
        assert "Connection refused" not in text or "What was last known of broken</a>" in text, route.name
        assert took_s < IN_TIME_S, route.name


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_never_answers_is_waited_for_no_longer_than_agreed(
    kind: str, hanging_server: HangingServer, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    broken(kind, "127.0.0.1", hanging_server.port)
    client = as_operator(alice)
    for route in pages(kind):
        status, text, took_s = timed(client, route.path("broken", kind))
        assert status == 200, route.name
        assert "did not answer in time" in text, route.name
        assert took_s < IN_TIME_S, (route.name, took_s)


@pytest.mark.parametrize("kind", KINDS)
def test_one_broken_server_harms_no_page_of_the_fleet(
    kind: str, world: World, hanging_server: HangingServer, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    broken(kind, "127.0.0.1", hanging_server.port)
    client = as_operator(alice)
    for path in ("/", "/queues/", "/backups/"):
        status, text, took_s = timed(client, path)
        assert status == 200 and "broken" in text and "redis-dev" in text, path
        assert took_s < IN_TIME_S, path


def test_a_slow_redis_is_slow_and_not_wrong(
    world: World, slow_proxy: Callable[..., SlowProxy], alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    proxy = slow_proxy(str(world.redis.socket), 0.05)
    server = broken("redis", "127.0.0.1", proxy.port)
    server.read_timeout_s = 3.0
    server.save()
    status, text, _ = timed(as_operator(alice), "/servers/broken/keyspace/")
    assert status == 200 and "cart:1" in text


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_that_may_almost_nothing_is_told_what_is_missing(
    kind: str, world: World, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    server = world.server(kind, "dev")
    if kind == "redis":
        world.redis.command("ACL", "SETUSER", "narrow", "on", "nopass", "~*", "-@all", "+ping")
    else:
        world.postgres.sql("DROP ROLE IF EXISTS narrow")
        world.postgres.sql("CREATE ROLE narrow LOGIN")
    Credential.objects.keep(server, Profile.MONITOR, username="narrow", password="any")
    client = as_operator(alice)
    texts = {}
    for route in pages(kind):
        status, texts[route.name], _ = timed(client, route.path(server.key))
        assert status == 200, route.name
    if kind == "redis":
        assert "+scan" in texts["keyspace:list"]
        assert "+slowlog|get" in texts["slow_queries:list"]
        assert "+client|list" in texts["activity:list"]
        assert "+acl|list" in texts["acl:list"] or "+acl|users" in texts["acl:list"]
        assert "+info" in texts["upkeep:detail"]
    else:
        assert "pg_monitor" in texts["activity:list"] or "pg_read_all_stats" in texts["activity:list"]


def test_a_redis_that_follows_a_lost_primary_is_read_and_named_as_such(
    world: World, refusing_port: int, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    """Read-only, its primary out of reach: every page reads it, and upkeep says what is wrong."""
    client = as_operator(alice)
    world.redis.command("REPLICAOF", "127.0.0.1", refusing_port)
    try:
        assert world.redis.command("ROLE")[0] == b"slave"
        texts = {route.name: timed(client, route.path("redis-dev")) for route in pages("redis")}
    finally:
        world.redis.command("REPLICAOF", "NO", "ONE")
    assert {name: status for name, (status, _, _) in texts.items() if status != 200} == {}
    assert "cart:1" in texts["keyspace:list"][1] or "cart:" in texts["keyspace:list"][1]
    assert "replica" in texts["servers:detail"][1]
    assert "down" in texts["upkeep:detail"][1]


def test_a_postgres_that_takes_no_writes_is_read_like_any(
    world: World, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    world.postgres.sql(f'ALTER DATABASE "{world.postgres.name}" SET default_transaction_read_only = on')
    client = as_operator(alice)
    there = [route for route in pages("postgres") if route.name != "slow_queries:statement"]  # none by that number
    for route in there:
        status, text, _ = timed(client, route.path("postgres-dev", "postgres"))
        assert status == 200 and "notice-crit" not in text, route.name
