"""A user gets other rules or another password: tried first on a user that is off, kept before it is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.acl import decisions, evaluation
from apps.engine.contracts.action import Refused
from apps.engine.errors import Gone
from apps.engine.text import ref
from apps.operations.models import Plan
from apps.operations.planning import content_of
from tests.acl.users import (
    CANARY,
    CANARY_HASH,
    HOSTILE,
    OLD,
    OLD_HASH,
    channels,
    lines,
    make,
    names,
    register,
    session,
    signs_in,
)
from tests.operations.door import Door, OpenDoor, actor_for, outcome_of
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "acl.change_user"


def params(**changed: Any) -> dict[str, Any]:
    return {"name": b"app", "rules": "~cart:* -@all +get", **changed}


def new_password(how: str = "replace") -> dict[str, Any]:
    return {"passwords": how, "password": CANARY}


def at_redis(server: RedisServer, operator: Operator) -> Door:
    return Door(actor=actor_for(operator), server=register(server))


def _prepare(server: RedisServer) -> dict[str, Any]:
    make(server, "app", "~cart:*", "~price:*", "+@read", "+set")
    make(server, "beside", "~*", "+get")
    return params(**new_password())


def _changed(server: RedisServer) -> bool:
    return (
        signs_in(server, "app", CANARY)
        and not signs_in(server, "app", OLD)
        and b"~price:*" not in lines(server)[b"app"]
        and OLD_HASH.encode() in lines(server)[b"beside"]
        and len(names(server)) == 3
    )


SCENARIO = Scenario(prepare=_prepare, changed=_changed, secrets=(CANARY, CANARY_HASH, OLD_HASH))


# -- rules -------------------------------------------------------------------------------------------------------------


def test_the_rules_are_exactly_those_that_were_written_and_the_password_stays(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~*", *channels(each_redis, "&*"), "+@all")
    run = at_redis(each_redis, alice).does(KEY, **params())
    assert run.state == "done", run.outcome
    words = set(lines(each_redis)[b"app"].split(b" "))
    assert {b"~cart:*", b"-@all", b"+get", b"#" + OLD_HASH.encode()} <= words
    assert not {b"~*", b"&*", b"+@all"} & words, "nothing is added to what was: it is the whole rule"
    assert signs_in(each_redis, "app", OLD)


def test_the_plan_says_in_words_before_and_after_what_goes_and_what_comes(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "~price:*", "+@read")
    said = content_of(door(alice).plans(KEY, **params()))
    facts = {fact.label: "".join(p.text or (p.name or b"").decode() for p in fact.words) for fact in said.facts}
    assert "price:" in facts["Keys now"] and "price:" not in facts["Keys then"]
    assert "~price:*" in facts["Taken away"] and "+get" in facts["Added"]
    assert facts["Sign-in"].endswith("As now.")
    assert OLD_HASH[:6] in facts["Passwords"] and OLD_HASH[:8] not in facts["Passwords"]


def test_the_comparison_names_what_will_be_denied_and_allowed_from_what_clients_ran_and_were_denied(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read", "+@connection", "+client|setname")
    with session(redis_clean, "app") as client:
        client.hgetall("cart:1")
        with pytest.raises(Exception, match="no permissions"):
            client.set("cart:1", "x")
        client.hgetall("cart:1")
        said = content_of(door(alice).plans(KEY, **params(rules="~cart:* -@all +set")))
    assert said.sample is not None
    rows = {row[0].name: [cell.text for cell in row[1:]] for row in said.sample.rows}
    assert rows[b"HGETALL cart:x"] == ["1 client last", "allowed", "will be denied"]
    assert rows[b"SET cart:x"] == ["denied 1 ×", "denied", "will be allowed"]
    assert said.sample.rows[0][3].text == "will be denied", "what is lost stands first"
    known = next(fact for fact in said.facts if fact.label == "How it is known")
    words = known.words[0].text
    if redis_clean.version >= (7, 0, 0):
        total = int(words.partition(" answers")[0].rpartition(" ")[2])
        assert f"agrees with ACL DRYRUN in {total} of {total} answers" in words and total > 20


def test_a_server_without_the_dry_run_is_compared_too_and_the_plan_says_how(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~cart:*", "+@read")
    said = content_of(at_redis(each_redis, alice).plans(KEY, **params(rules="~cart:* +set")))
    known = str(next(fact for fact in said.facts if fact.label == "How it is known"))
    assert ("has no ACL DRYRUN" in known) == (each_redis.version < (7, 0, 0))
    assert said.sample is not None
    rows = {row[0].name: row[3].text for row in said.sample.rows}
    assert rows[b"GET cart:x"] == "will be denied" and rows[b"SET cart:x"] == "will be allowed"


def test_a_plan_that_reckoned_wrong_is_found_out_by_the_run_and_nothing_is_changed(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is asked on a user that is off: where it says otherwise, the user is left as it was."""
    if redis_clean.version < (7, 0, 0):
        pytest.skip("the dry run came with 7.0")
    make(redis_clean, "app", "~cart:*", "+@read")
    before = lines(redis_clean)
    at = door(alice)
    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "allows", lambda *given: True)
        plan = at.plans(KEY, **params())
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "otherwise than the plan" in run.outcome
    assert lines(redis_clean) == before, "and the user that was tried on is gone"


def test_a_reckoning_that_differs_from_the_server_now_is_marked_in_the_plan(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    if redis_clean.version < (7, 0, 0):
        pytest.skip("the dry run came with 7.0")
    make(redis_clean, "app", "~cart:*", "+@read")
    monkeypatch.setattr(evaluation, "allows", lambda *given: True)
    said = content_of(door(alice).plans(KEY, **params()))
    assert next(fact for fact in said.facts if fact.label == "How it is known").signal == "warn"


def test_rules_that_the_server_does_not_take_change_nothing_though_the_plan_let_them_pass(
    each_redis: RedisServer, alice: Operator, private_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(each_redis, "app", "~cart:*", "+@read")
    before = lines(each_redis)
    monkeypatch.setattr(decisions, "check_words", lambda *given, **named: None)
    at = at_redis(each_redis, alice)
    run = at.does(KEY, **params(rules="~cart:* +get +nosuch"))
    assert run.state == "failed" and "does not take these rules" in run.outcome
    assert lines(each_redis) == before


def test_a_client_that_is_connected_has_the_new_rules_at_once_and_stays(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@all")
    with session(redis_clean, "app") as client:
        run = door(alice).does(KEY, **params())
        assert run.state == "done"
        assert client.get("cart:1") is None
        with pytest.raises(Exception, match="no permissions"):
            client.set("cart:1", "x")


def test_its_clients_are_ended_where_that_is_asked_and_nobody_elses(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    make(each_redis, "app", "~cart:*", "+@all")
    make(each_redis, "beside", "~*", "+@all")
    with session(each_redis, "app"), session(each_redis, "beside") as other:
        other_id = other.client_id()
        at = at_redis(each_redis, alice)
        said = content_of(at.plans(KEY, **params(disconnect=True)))
        assert next(f for f in said.figures if f.label == "Signed in as it now").amount.value == 1
        run = at.does(KEY, **params(disconnect=True))
        assert run.state == "done"
        users = [
            line.split(b"user=")[1].split()[0]
            for line in each_redis.command("CLIENT", "LIST", "ID", other_id).splitlines()
        ]
        assert users == [b"beside"]
        table = outcome_of(run).table
        assert table is not None and table.rows[0][3].amount is not None and table.rows[0][3].amount.value == 1


def test_nothing_to_change_has_nothing_to_run(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    at = door(alice)
    from apps.operations.catalogue import action_for

    action = action_for(KEY)
    text = action.prefill(at.server.target(action.profile), {"name": b"app"})["rules"]
    assert content_of(at.plans(KEY, **params(rules=text))).blocked
    assert not content_of(at.plans(KEY, **params(rules=text, **new_password("add")))).blocked


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"rules": ""}, "rules"),
        ({"rules": "+get >secret"}, "rules"),
        ({"rules": "+nosuch"}, "rules"),
        ({"passwords": "replace"}, "password"),
        ({"passwords": "add"}, "password"),
        ({"password": CANARY}, "passwords"),
    ],
)
def test_what_is_wrong_is_refused_at_its_field_and_nothing_is_stored(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, changed: dict[str, Any], field: str
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    before = lines(redis_clean)
    with pytest.raises(Refused) as refused:
        door(alice).plans(KEY, **params(**changed))
    assert refused.value.field == field
    assert lines(redis_clean) == before and not Plan.objects.exists()


def test_a_user_that_is_gone_has_no_plan(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    with pytest.raises(Gone):
        door(alice).plans(KEY, **params(name=b"nobody"))


def test_a_user_that_somebody_changed_since_the_plan_is_left(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    at = door(alice)
    plan = at.plans(KEY, **params())
    redis_clean.command("ACL", "SETUSER", "app", ">another")
    before = lines(redis_clean)
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert lines(redis_clean) == before


# -- passwords ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "old_works", "new_works"),
    [("add", True, True), ("replace", False, True), ("none", False, False), ("keep", True, False)],
)
def test_what_becomes_of_the_passwords(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, how: str, old_works: bool, new_works: bool
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    asked = new_password(how) if how in ("add", "replace") else {"passwords": how}
    assert door(alice).does(KEY, **params(**asked)).state == "done"
    assert signs_in(redis_clean, "app", OLD) == old_works
    assert signs_in(redis_clean, "app", CANARY) == new_works


def test_a_user_that_asks_for_no_password_is_warned_of_and_an_added_one_ends_that(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    at = door(alice)
    said = content_of(at.plans(KEY, **params(passwords="nopass")))
    assert "Whoever reaches the port" in said.warnings[0][0].text
    at.does(KEY, **params(passwords="nopass"))
    assert signs_in(redis_clean, "app", "anything")
    at.does(KEY, **params(**new_password("add")))
    assert not signs_in(redis_clean, "app", "anything") and signs_in(redis_clean, "app", CANARY)


def test_neither_password_nor_hash_is_in_the_plan_the_run_or_its_page(
    redis_clean: RedisServer,
    alice: Operator,
    private_folders: None,
    as_operator: Callable[[Operator], Client],
    caplog: pytest.LogCaptureFixture,
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    server = register(redis_clean)
    client = as_operator(alice)
    path = f"/servers/cache/do/{KEY}/"
    from apps.operations.buttons import start_url
    from apps.operations.catalogue import action_for

    path = start_url(action_for(KEY), server, {})
    form = client.get(path, {"name": ref(b"app")}).content.decode()
    assert "~cart:*" in form and OLD_HASH[:8] not in form
    typed = {"name": ref(b"app"), "rules": "~cart:* +get", "passwords": "add", "password": CANARY}
    page = client.post(path, typed, follow=True)
    told = page.content.decode()
    assert "Change app on cache" in told and "65 bytes" in told
    wrong = client.post(path, {**typed, "rules": "+nosuch"}).content.decode()
    at = Door(actor=actor_for(alice), server=server)
    run = at.does(KEY, **params(**new_password("add")))
    run_page = client.get(f"/runs/{run.pk}/").content.decode()
    for text in (told, wrong, run_page, caplog.text, str(page.redirect_chain)):
        for secret in (CANARY, CANARY_HASH[:8], OLD_HASH[:8]):
            assert secret not in text
    assert "put exactly that back" in told.replace("puts", "put")


# -- undo --------------------------------------------------------------------------------------------------------------


def test_the_undo_puts_back_exactly_what_each_word_was(
    each_redis: RedisServer, alice: Operator, private_folders: None
) -> None:
    selectors = ["(%W~log:* +set)"] if each_redis.version >= (7, 0, 0) else []
    make(
        each_redis, HOSTILE, "~cart:*", "~\xff*".encode("latin-1"), *channels(each_redis, "&news"), "+@read", "-keys",
        "+config|get", *selectors,
    )  # fmt: skip
    each_redis.command("ACL", "SETUSER", HOSTILE, ">second")
    before = lines(each_redis)
    at = at_redis(each_redis, alice)
    run = at.does(KEY, **params(name=HOSTILE, **new_password()))
    assert run.state == "done", run.outcome
    undo = at.does(f"{KEY}.undo", run=run.pk)
    assert undo.state == "done", undo.outcome
    assert lines(each_redis) == before
    assert signs_in(each_redis, HOSTILE, OLD) and signs_in(each_redis, HOSTILE, "second")


def test_the_undo_leaves_what_somebody_else_made_of_the_user_since(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    at = door(alice)
    run = at.does(KEY, **params())
    plan = at.plans(f"{KEY}.undo", run=run.pk)
    redis_clean.command("ACL", "SETUSER", "app", "+del")
    before = lines(redis_clean)
    undo = at.carries_out(at.submits(plan))
    assert undo.state == "failed" and lines(redis_clean) == before
    assert content_of(at.plans(f"{KEY}.undo", run=run.pk)).blocked


def test_the_outcome_tells_of_denials_since_and_where_to_watch(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    make(redis_clean, "app", "~cart:*", "+@read")
    outcome = outcome_of(door(alice).does(KEY, **params()))
    denials = next(fact for fact in outcome.facts if fact.label == "Denials")
    assert denials.words[0].name == b"app" and "denied 0 times since" in denials.words[1].text
