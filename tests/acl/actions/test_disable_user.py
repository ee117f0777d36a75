"""A user is switched off on every node; whoever is signed in as it stays, unless that is asked too."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.contracts.action import Refused
from apps.operations.planning import content_of
from tests.acl.users import HOSTILE, OLD, OLD_HASH, lines, make, register, session, signs_in
from tests.operations.door import Door, OpenDoor, actor_for, outcome_of
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "acl.disable_user"


def _prepare(server: RedisServer) -> dict[str, Any]:
    make(server, "app", "~cart:*", "+@read")
    make(server, "beside", "~*", "+get")
    return {"name": b"app"}


def _changed(server: RedisServer) -> bool:
    return not signs_in(server, "app", OLD) and signs_in(server, "beside", OLD)


SCENARIO = Scenario(prepare=_prepare, changed=_changed, secrets=(OLD_HASH,))


def test_nothing_but_the_switch_is_another(each_redis: RedisServer, alice: Operator, private_folders: None) -> None:
    make(each_redis, HOSTILE, "~cart:*", "+@read", "-keys")
    before = lines(each_redis)
    run = Door(actor=actor_for(alice), server=register(each_redis)).does(KEY, name=HOSTILE)
    assert run.state == "done"
    after = lines(each_redis)
    assert after[HOSTILE] == before[HOSTILE].replace(HOSTILE + b" on ", HOSTILE + b" off ")
    assert after[b"default"] == before[b"default"]


def test_sessions_stay_unless_they_are_ended_too(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~*", "+@all")
    at = Door(actor=actor_for(alice), server=register(each_redis))
    with session(each_redis, "app") as client:
        said = content_of(at.plans(KEY, name=b"app"))
        assert "stay connected" in str(said.facts) and said.sample is not None
        assert said.sample.rows[0][0].name == b"app-1"
        at.does(KEY, name=b"app")
        client.set("a", "1")
    assert each_redis.command("GET", "a") == b"1", "the session that was open went on"
    each_redis.command("ACL", "SETUSER", "app", "on")
    with session(each_redis, "app") as client:
        mine = client.client_id()
        run = at.does(KEY, name=b"app", disconnect=True)
        assert str(mine).encode() not in [
            line.split()[0].removeprefix(b"id=") for line in each_redis.command("CLIENT", "LIST").splitlines()
        ]
    table = outcome_of(run).table
    assert table is not None and table.rows[0][3].amount is not None and table.rows[0][3].amount.value == 1


def test_one_that_is_off_already_has_nothing_to_run(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    make(redis_clean, "app", "off", "+get")
    assert content_of(door(alice).plans(KEY, name=b"app")).blocked


def test_the_default_user_asks_for_consent_and_names_who_is_signed_in_as_it(
    redis_clean: RedisServer, alice: Operator, private_folders: None
) -> None:
    from tests.acl.users import console_account

    server = register(redis_clean, monitor=console_account(redis_clean))
    at = Door(actor=actor_for(alice), server=server)
    redis_clean.command("CLIENT", "SETNAME", "legacy-cron")
    with pytest.raises(Refused, match="legacy-cron") as refused:
        at.plans(KEY, name=b"default")
    assert refused.value.field == "default_too"
    run = at.does(KEY, name=b"default", default_too=True)
    assert run.state == "done"
    undo = at.does(f"{KEY}.undo", run=run.pk)
    assert undo.state == "done", "the console's own account puts it back"
    assert b" on " in lines(redis_clean)[b"default"]


def test_the_undo_switches_it_on_again_on_nothing_else(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    before = lines(redis_clean)
    at = door(alice)
    run = at.does(KEY, name=b"app")
    assert at.does(f"{KEY}.undo", run=run.pk).state == "done"
    assert lines(redis_clean) == before and signs_in(redis_clean, "app", OLD)
