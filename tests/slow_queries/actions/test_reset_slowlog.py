"""The slow log of a node is emptied; what was in it stays with the run as figures, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.connections import redis as connections
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.errors import Gone, NotPermitted
from apps.engine.target import Profile
from apps.operations.planning import content_of
from apps.servers.capabilities import REDIS
from apps.servers.models import Credential, Server
from tests.operations.door import Door, actor_for, outcome_of, register_redis
from tests.operations.scenario import Scenario, redis_digest
from tests.real_servers import RedisServer, connected

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "slow_queries.reset_slowlog"
RULES = {feature.key: feature for feature in REDIS}
OFF = "1000000000"


def be_slow(server: RedisServer, times: int = 4) -> None:
    """Commands that are slow by a threshold of nothing; then nothing is slow any more, so that the log stands still."""
    server.command("CONFIG", "SET", "slowlog-log-slower-than", "0")
    for number in range(times):
        server.command("SET", f"cart:{number}", "CANARY-value")
    server.command("CONFIG", "SET", "slowlog-log-slower-than", OFF)


def numbers(server: RedisServer) -> list[int]:
    return [entry[0] for entry in server.command("SLOWLOG", "GET", 1000)]


def _prepare(server: RedisServer) -> dict[str, Any]:
    be_slow(server)
    return {"node": ""}


SCENARIO = Scenario(
    prepare=_prepare,
    changed=lambda server: numbers(server) == [],
    state=lambda server: (redis_digest(server), numbers(server)),
    secrets=("CANARY-value",),
)


@pytest.fixture
def door(each_redis: RedisServer, alice: Operator, private_folders: None) -> Door:
    connections.forget_connections()
    return Door(actor=actor_for(alice), server=register_redis(each_redis))


@pytest.fixture
def second(redis_clean: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    with EmbeddedRedis(redis_clean.embedded.binary, tmp_path / "second", port=free_port()) as embedded:
        server = connected(embedded)
        yield server
        server.client.close()


def both(first: RedisServer, second: RedisServer) -> Server:
    return Server.objects.create(
        key="cache",
        kind="redis",
        environment="dev",
        addresses=[{"host": str(server.socket), "port": 6379} for server in (first, second)],
    )


def figures(said: Any) -> dict[str, float | None]:
    return {figure.label: figure.amount.value for figure in said.figures}


def test_the_plan_counts_it_and_the_run_keeps_its_shapes(each_redis: RedisServer, door: Door) -> None:
    be_slow(each_redis)
    before = redis_digest(each_redis)
    there = len(numbers(each_redis))
    plan = door.plans(KEY, node="")
    said = content_of(plan)
    assert figures(said)["Entries dropped"] == there >= 4
    run = door.carries_out(door.submits(plan))
    assert run.state == "done", run.outcome
    assert numbers(each_redis) == [] and redis_digest(each_redis) == before
    table = outcome_of(run).table
    assert table is not None
    assert {row[0].name: row[1].amount.value for row in table.rows if row[1].amount}[b"SET cart:*"] == 4
    assert "CANARY" not in str(plan.content) + run.outcome, "values are not among the figures"


def test_a_log_that_grew_meanwhile_is_emptied_all_the_same(each_redis: RedisServer, door: Door) -> None:
    be_slow(each_redis)
    plan = door.plans(KEY, node="")
    be_slow(each_redis, 9)
    assert door.carries_out(door.submits(plan)).state == "done"
    assert numbers(each_redis) == []


def test_one_that_somebody_emptied_meanwhile_is_told_and_left_alone(each_redis: RedisServer, door: Door) -> None:
    be_slow(each_redis, 9)
    plan = door.plans(KEY, node="")
    each_redis.command("SLOWLOG", "RESET")
    be_slow(each_redis, 2)
    left = numbers(each_redis)
    run = door.carries_out(door.submits(plan))
    assert run.state == "failed" and "somebody emptied or shortened it" in run.outcome
    assert numbers(each_redis) == left


def test_one_of_a_server_that_was_started_again_is_left_alone(
    redis_clean: RedisServer, alice: Operator, private_folders: None, second: RedisServer
) -> None:
    at = Door(actor=actor_for(alice), server=register_redis(second))
    be_slow(second, 2)
    plan = at.plans(KEY, node="")
    second.embedded.stop()
    second.embedded.start()
    be_slow(second, 9)
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "started again" in run.outcome
    assert len(numbers(second)) >= 9


def test_an_empty_log_has_nothing_to_run(each_redis: RedisServer, door: Door) -> None:
    each_redis.command("CONFIG", "SET", "slowlog-log-slower-than", OFF)
    each_redis.command("SLOWLOG", "RESET")
    assert content_of(door.plans(KEY, node="")).blocked


def test_the_log_of_one_node_is_its_own(
    redis_clean: RedisServer, alice: Operator, private_folders: None, second: RedisServer
) -> None:
    at = Door(actor=actor_for(alice), server=both(redis_clean, second))
    for server in (redis_clean, second):
        be_slow(server)
    other = numbers(second)
    assert at.does(KEY, node=str(redis_clean.socket)).state == "done"
    assert numbers(redis_clean) == [] and numbers(second) == other
    be_slow(redis_clean)
    run = at.does(KEY, node="")
    assert run.state == "done" and "2 of 2 nodes" in run.outcome
    assert numbers(redis_clean) == numbers(second) == []


def test_where_a_second_node_refuses_the_first_is_said_to_be_empty(
    redis_clean: RedisServer, alice: Operator, private_folders: None, second: RedisServer
) -> None:
    server = both(redis_clean, second)
    for node in (redis_clean, second):
        be_slow(node)
        node.command("ACL", "SETUSER", "signalbox", "on", ">pw", "+@all")
    second.command(
        "ACL", "SETUSER", "signalbox", "reset", "on", ">pw", "+@all", "-slowlog", "+slowlog|get", "+slowlog|len"
    )
    Credential.objects.keep(server, Profile.OPERATE, username="signalbox", password="pw")
    left = numbers(second)
    run = Door(actor=actor_for(alice), server=server).does(KEY, node="")
    assert run.state == "partial" and str(second.socket) in run.outcome
    assert numbers(redis_clean) == [] and numbers(second) == left


def test_the_documented_rules_are_enough(
    each_redis: RedisServer, alice: Operator, private_folders: None, door: Door
) -> None:
    rules = [rule for key in ("connect", "slow.reset") for rule in RULES[key].rules(each_redis.version[:2])]
    account = ("ACL", "SETUSER", "signalbox", "reset", "on", ">pw")
    each_redis.command(*account, *rules)
    Credential.objects.keep(door.server, Profile.OPERATE, username="signalbox", password="pw")
    be_slow(each_redis)
    assert door.does(KEY, node="").state == "done"
    be_slow(each_redis)
    left = numbers(each_redis)
    each_redis.command(*account, *(rule for rule in rules if rule != "+slowlog|reset"))
    connections.forget_connections()
    run = door.does(KEY, node="")
    assert run.state == "failed" and "+slowlog|reset" in run.outcome
    each_redis.command(*account, *(rule for rule in rules if rule != "+slowlog|get"))
    connections.forget_connections()
    with pytest.raises(NotPermitted):
        door.plans(KEY, node="")
    assert numbers(each_redis) == left


def test_a_node_that_is_not_registered_is_refused(each_redis: RedisServer, door: Door) -> None:
    with pytest.raises(Gone, match="not among the registered"):
        door.plans(KEY, node="/tmp/elsewhere.sock")
