"""With exactly the rights of its row each action works from its plan to its undo; with one rule less the server says which."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.contracts.action import NoUndo
from apps.engine.errors import EngineError
from apps.operations.catalogue import action_for
from apps.servers.capabilities import REDIS
from tests.operations.door import Door, actor_for, register_redis
from tests.real_servers import RedisServer
from tests.upkeep.actions.test_bgsave import settle

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_folders")]
ACTIONS: dict[str, dict[str, Any]] = {
    "upkeep.bgsave": {},
    "upkeep.memory_purge": {},
    "upkeep.config_set": {"name": "slowlog-max-len", "value": "99"},
}


def rules_of(key: str, server: RedisServer) -> tuple[list[str], list[str]]:
    """Those of signing in, and those of the action's feature."""
    version = server.version[:2]
    found = {feature.key: list(feature.rules(version)) for feature in REDIS}
    return found["connect"], found[action_for(key).feature]


def door_with(server: RedisServer, operator: Operator, rules: list[str]) -> Door:
    server.command("ACL", "SETUSER", "console", "reset", "on", "nopass", *rules)
    registered = register_redis(server)
    registered.credentials.create(profile="operate", username="console")
    return Door(actor=actor_for(operator), server=registered)


@pytest.mark.parametrize("key", sorted(ACTIONS))
def test_the_rules_of_its_row_are_enough(key: str, each_redis: RedisServer, alice: Operator) -> None:
    settle(each_redis)
    if key == "upkeep.memory_purge" and "jemalloc" not in str(each_redis.command("INFO")["mem_allocator"]):
        pytest.skip("this server was built with another allocator")
    signing_in, own = rules_of(key, each_redis)
    door = door_with(each_redis, alice, [*signing_in, *own])
    run = door.does(key, **ACTIONS[key])
    assert run.state == "done", run.outcome
    if not isinstance(action_for(key).undo, NoUndo):
        assert door.does(f"{key}.undo", run=run.pk).state == "done"
    assert each_redis.command("ACL", "LOG") == []


@pytest.mark.parametrize("key", sorted(ACTIONS))
def test_with_one_less_it_is_named_and_nothing_is_done(key: str, redis_clean: RedisServer, alice: Operator) -> None:
    settle(redis_clean)
    signing_in, own = rules_of(key, redis_clean)
    door = door_with(redis_clean, alice, [*signing_in, *own])
    before = redis_clean.command("CONFIG", "GET", "*")
    for number, rule in enumerate(own):
        redis_clean.command(
            "ACL", "SETUSER", "console", "reset", "on", "nopass", *signing_in, *(each for each in own if each != rule)
        )
        try:
            run = door.does(key, **ACTIONS[key])
        except EngineError as error:
            assert getattr(error, "missing", "") == rule
        else:
            assert run.state == "failed" and rule in run.outcome, (number, rule, run.outcome)
    assert redis_clean.command("CONFIG", "GET", "*") == before
