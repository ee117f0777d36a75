"""A user is deleted on every node, and made again with its passwords by the undo."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import RedisError

from apps.accounts.models import Operator
from apps.engine.contracts.action import Refused
from apps.engine.errors import Gone
from apps.operations.planning import content_of
from tests.acl.users import HOSTILE, OLD, OLD_HASH, console_account, lines, make, names, register, session, signs_in
from tests.operations.door import Door, OpenDoor, actor_for
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "acl.delete_user"


def _prepare(server: RedisServer) -> dict[str, Any]:
    make(server, "app", "~cart:*", "+@read")
    make(server, "app2", "~*", "+get")
    return {"name": b"app"}


SCENARIO = Scenario(
    prepare=_prepare, changed=lambda server: names(server) == {b"default", b"app2"}, secrets=(OLD_HASH,)
)


def test_its_clients_are_ended_and_the_plan_said_so(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~*", "+@all")
    at = Door(actor=actor_for(alice), server=register(each_redis))
    with session(each_redis, "app") as client:
        said = content_of(at.plans(KEY, name=b"app"))
        assert "disconnected by the server" in str(said.facts) and said.figures[1].amount.value == 1
        at.does(KEY, name=b"app")
        with pytest.raises(RedisError):
            client.set("a", "1")
    assert each_redis.command("EXISTS", "a") == 0


def test_the_default_user_is_never_deleted(each_redis: RedisServer, alice: Operator, private_folders: None) -> None:
    at = Door(actor=actor_for(alice), server=register(each_redis, monitor=console_account(each_redis)))
    with pytest.raises(Refused, match="cannot be deleted"):
        at.plans(KEY, name=b"default")
    assert b"default" in names(each_redis)


def test_the_undo_makes_it_again_with_every_password(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, HOSTILE, "~cart:*", "+@read", "-keys")
    each_redis.command("ACL", "SETUSER", HOSTILE, ">second")
    before = lines(each_redis)
    at = Door(actor=actor_for(alice), server=register(each_redis))
    run = at.does(KEY, name=HOSTILE)
    assert HOSTILE not in names(each_redis)
    assert at.does(f"{KEY}.undo", run=run.pk).state == "done"
    assert lines(each_redis) == before and signs_in(each_redis, HOSTILE, "second")


def test_the_undo_leaves_a_user_of_that_name_that_was_made_since(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    at = door(alice)
    run = at.does(KEY, name=b"app")
    make(redis_clean, "app", "~*", "+get", password="the new owner's")
    before = lines(redis_clean)
    assert content_of(at.plans(f"{KEY}.undo", run=run.pk)).blocked
    assert lines(redis_clean) == before


def test_a_user_that_is_gone_has_no_plan(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    with pytest.raises(Gone):
        door(alice).plans(KEY, name=b"nobody")
    assert signs_in(redis_clean, "default", OLD), "the default user of the tests takes any password"
