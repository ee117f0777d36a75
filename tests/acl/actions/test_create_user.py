"""A user is made on every node that has none of its name, and its password is seen nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.engine.contracts.action import Refused
from apps.operations.planning import content_of
from tests.acl.users import CANARY, CANARY_HASH, HOSTILE, OLD_HASH, channels, lines, make, names, register, signs_in
from tests.operations.door import Door, OpenDoor, actor_for, outcome_of
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "acl.create_user"


def params(**changed: Any) -> dict[str, Any]:
    return {"name": b"app", "rules": "~cart:* -@all +@read +set", "password": CANARY, **changed}


def _prepare(server: RedisServer) -> dict[str, Any]:
    make(server, "beside", "~*", "+get")
    return params()


def _changed(server: RedisServer) -> bool:
    return (
        names(server) == {b"default", b"beside", b"app"}
        and signs_in(server, "app", CANARY)
        and OLD_HASH.encode() in lines(server)[b"beside"]
    )


SCENARIO = Scenario(prepare=_prepare, changed=_changed, secrets=(CANARY, CANARY_HASH))


def test_the_user_may_what_was_planned_and_no_more(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register(each_redis))
    run = at.does(KEY, **params())
    assert run.state == "done", run.outcome
    line = lines(each_redis)[b"app"]
    words = line.split(b" ")
    assert b"on" in words and b"~cart:*" in words and b"#" + CANARY_HASH.encode() in words
    if each_redis.version >= (6, 2, 0):
        assert b"resetchannels" in words and b"&*" not in words, "no channel was given, whatever the server's default"
    assert signs_in(each_redis, "app", CANARY) and not signs_in(each_redis, "app", CANARY + "x")
    assert names(each_redis) == {b"default", b"app"}, "the user that the rules were tried on is gone"


def test_a_user_that_is_off_without_a_password_can_be_nobody(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    said = content_of(at.plans(KEY, **params(on=False, passwords="none", password="")))
    assert "Switched off" in str(said.facts)
    at.does(KEY, **params(on=False, passwords="none", password=""))
    assert not signs_in(redis_clean, "app", "")


def test_a_user_without_a_password_is_warned_of(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    said = content_of(door(alice).plans(KEY, **params(rules="~* +@all", passwords="nopass", password="")))
    assert "and may do everything" in said.warnings[0][0].text


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": b"a b"}, "name"),
        ({"name": b"a\x00"}, "name"),
        ({"name": b""}, "name"),
        ({"name": b"__signalbox_x"}, "name"),
        ({"name": b"default"}, ""),
        ({"password": ""}, "password"),
        ({"passwords": "none"}, "passwords"),
        ({"rules": "+nosuch"}, "rules"),
        ({"rules": "~a >x"}, "rules"),
        ({"rules": "+@nosuch"}, "rules"),
    ],
)
def test_what_is_wrong_is_refused_at_its_field_and_nothing_is_stored(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, changed: dict[str, Any], field: str
) -> None:
    from apps.operations.models import Plan

    before = lines(redis_clean)
    with pytest.raises(Refused) as refused:
        door(alice).plans(KEY, **params(**changed))
    assert refused.value.field == field
    assert lines(redis_clean) == before and not Plan.objects.exists()


def test_a_name_that_is_taken_is_refused_and_that_user_is_left(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~*", "+get")
    before = lines(redis_clean)
    with pytest.raises(Refused, match="such a user already"):
        door(alice).plans(KEY, **params())
    assert lines(redis_clean) == before


def test_a_user_made_by_somebody_else_after_the_plan_is_left(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    plan = at.plans(KEY, **params())
    make(redis_clean, "app", "~*", "+get")
    before = lines(redis_clean)
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert lines(redis_clean) == before


def test_a_hostile_name_is_made_shown_and_undone_byte_by_byte(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register(each_redis))
    run = at.does(KEY, **params(name=HOSTILE))
    assert run.state == "done", run.outcome
    assert HOSTILE in names(each_redis) and outcome_of(run).said[1].name == HOSTILE
    undo = at.does(f"{KEY}.undo", run=run.pk)
    assert undo.state == "done" and names(each_redis) == {b"default"}


def test_selectors_are_sent_whole_and_mean_what_the_plan_says(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    at = Door(actor=actor_for(alice), server=register(each_redis))
    asked = params(rules="~cart:* -@all +get (%W~log:* +set) (~q:* +@list)")
    if each_redis.version < (7, 0, 0):
        with pytest.raises(Refused, match="knows no selectors") as refused:
            at.plans(KEY, **asked)
        assert refused.value.field == "rules" and names(each_redis) == {b"default"}
        return
    assert at.does(KEY, **asked).state == "done"
    tried = [
        each_redis.command("ACL", "DRYRUN", "app", *call.split())
        for call in ("GET cart:1", "SET cart:1 x", "SET log:1 x", "GET log:1", "LPUSH q:1 x")
    ]
    assert [reply == b"OK" for reply in tried] == [True, False, True, False, True]


def test_channels_are_given_by_name_also_where_the_server_gives_all_by_itself(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    if not channels(each_redis, "&*"):
        pytest.skip("channels came with 6.2")
    at = Door(actor=actor_for(alice), server=register(each_redis))
    assert at.does(KEY, **params(rules="&orders:* -@all +@pubsub")).state == "done"
    words = lines(each_redis)[b"app"].split(b" ")
    assert b"&orders:*" in words and b"&*" not in words


def test_the_undo_leaves_a_user_that_was_changed_since(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    run = at.does(KEY, **params())
    redis_clean.command("ACL", "SETUSER", "app", "+del")
    said = content_of(at.plans(f"{KEY}.undo", run=run.pk))
    assert said.blocked and "changed since by somebody else" in str(said.sample)
    assert b"app" in names(redis_clean)


def test_the_plan_says_that_the_change_lives_until_a_restart_where_no_file_keeps_users(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    said = content_of(at.plans(KEY, **params()))
    assert "lives until it restarts" in str(next(fact for fact in said.facts if fact.label == "Saved"))
    outcome = outcome_of(at.does(KEY, **params()))
    assert any(fact.label == "Not saved" for fact in outcome.facts)
