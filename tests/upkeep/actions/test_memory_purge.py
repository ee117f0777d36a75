"""Unused memory is given back, and a server that could not is told so before."""

from __future__ import annotations

import pytest

from apps.accounts.models import Operator
from apps.operations.planning import content_of
from apps.upkeep.actions import memory_purge
from apps.upkeep.reads.info import Info
from tests.operations.door import Door, OpenDoor, actor_for, outcome_of, register_redis
from tests.operations.scenario import Scenario, redis_digest
from tests.real_servers import RedisServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
KEY = "upkeep.memory_purge"


def purged_count(server: RedisServer) -> int:
    found = server.command("INFO", "commandstats")
    each = found.get("cmdstat_memory|purge") or {}
    return int(each.get("calls", 0))


SCENARIO = Scenario(prepare=lambda server: {}, changed=lambda server: purged_count(server) == 1)


def test_the_node_is_asked_once_and_keeps_every_key(each_redis: RedisServer, alice: Operator) -> None:
    for n in range(1000):
        each_redis.command("SET", f"k:{n}", "v" * 100)
    before = redis_digest(each_redis)
    door = Door(actor=actor_for(alice), server=register_redis(each_redis))
    said = content_of(door.plans(KEY))
    if said.blocked:
        assert "jemalloc" in str(said.blocked) and "jemalloc" not in str(each_redis.command("INFO")["mem_allocator"])
        return
    outcome = outcome_of(door.does(KEY))
    assert {figure.label for figure in outcome.figures} >= {"Used", "Resident"}
    assert redis_digest(each_redis) == before


@pytest.mark.parametrize(("allocator", "blocked"), [("jemalloc-5.3.0", False), ("libc", True), ("", True)])
def test_another_allocator_is_told(allocator: str, blocked: bool) -> None:
    words = memory_purge._why_not(Info(fields={"mem_allocator": allocator} if allocator else {}))
    assert bool(words) == blocked


def test_a_node_that_is_not_registered_any_more_is_refused(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    with pytest.raises(Exception, match="is no node of"):
        door(alice).plans(KEY, node="10.0.0.9:6379")
    assert purged_count(redis_clean) == 0
