"""A user that is off is switched on again, with the rules and passwords it had."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.operations.planning import content_of
from tests.acl.users import OLD, OLD_HASH, lines, make, register, signs_in
from tests.operations.door import Door, OpenDoor, actor_for
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "acl.enable_user"


def _prepare(server: RedisServer) -> dict[str, Any]:
    make(server, "app", "off", "~cart:*", "+@read")
    make(server, "beside", "off", "~*", "+get")
    return {"name": b"app"}


SCENARIO = Scenario(
    prepare=_prepare,
    changed=lambda server: signs_in(server, "app", OLD) and not signs_in(server, "beside", OLD),
    secrets=(OLD_HASH,),
)


def test_nothing_but_the_switch_is_another(each_redis: RedisServer, alice: Operator, private_folders: None) -> None:
    make(each_redis, "app", "off", "~cart:*", "+@read", "-keys")
    before = lines(each_redis)[b"app"]
    Door(actor=actor_for(alice), server=register(each_redis)).does(KEY, name=b"app")
    assert lines(each_redis)[b"app"] == before.replace(b" off ", b" on ")


def test_one_that_nobody_needs_a_password_for_is_warned_of(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("ACL", "SETUSER", "migration", "off", "nopass", "~*", "+@all")
    said = content_of(door(alice).plans(KEY, name=b"migration"))
    assert "may do everything" in said.warnings[0][0].text


def test_one_that_is_on_already_has_nothing_to_run(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    make(redis_clean, "app", "+get")
    assert content_of(door(alice).plans(KEY, name=b"app")).blocked
