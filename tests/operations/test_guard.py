"""Every action x role x environment through its pages, against the one table; and everything else that stands in the way."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.access import permit
from apps.accounts.models import Operator, Role, ScopeKind
from apps.accounts.permissions import POLICIES, TABLE, Need
from apps.engine.contracts.action import Refused
from apps.engine.text import ref
from apps.history.models import LastKnown
from apps.operations import agreeing, execution, guard
from apps.operations.catalogue import action_for
from apps.operations.guard import DELAY, Given, demands, need_of
from apps.operations.models import Approval, AuditEntry, Freeze, Plan, Run
from apps.servers.models import Server, stored_capabilities
from tests.accounts.conftest import make_fresh, set_up_factor
from tests.conftest import grant, person
from tests.operations.collected import own_actions
from tests.operations.door import Door, OpenDoor, actor_for, register_redis
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "OPS-2214: carts of the old checkout"
ASKED = {
    Need.YES: [],
    Need.REASON: ["reason"],
    Need.SUDO: ["reason", "fresh"],
    Need.TYPED: ["reason", "name", "fresh"],
    Need.APPROVAL: ["reason", "name", "fresh", "delay"],
}
CELLS = [(key, role, policy) for key in sorted(own_actions()) for role in Role for policy in POLICIES]


def a_server(environment: str, kind: str = "redis") -> Server:
    """Nothing listens there: no plan gets as far as asking it."""
    address = {"host": "127.0.0.1", "port": 1}
    return Server.objects.create(key=f"some-{kind}", kind=kind, environment=environment, addresses=[address])


@pytest.mark.django_db  # one transaction is enough here, and six times as quick
@pytest.mark.parametrize(("key", "role", "policy"), CELLS)
def test_the_form_of_an_action_opens_for_whom_the_table_says(
    key: str, role: Role, policy: str, settings: Settings, as_operator: Callable[[Operator], Client]
) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    action = action_for(key)
    server = a_server(policy, action.kind)
    operator = person("somebody", role)
    answer = as_operator(operator).get(f"/servers/{server.key}/do/{key}/")
    allowed = TABLE[action.permission].need(role, policy) is not Need.NO
    asks_reason = b"Why do you need this" in answer.content  # the form would show a value
    assert (answer.status_code == 403 and not asks_reason) is not allowed, answer.status_code
    assert AuditEntry.objects.filter(phase="denied", actor="somebody", action=key).exists() is not allowed


@pytest.mark.django_db  # one transaction is enough here, and six times as quick
@pytest.mark.parametrize(("key", "role", "policy"), CELLS)
def test_what_an_environment_asks_for_follows_from_the_table(
    key: str, role: Role, policy: str, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    need = TABLE[action_for(key).permission].need(role, policy)
    if need is Need.NO:
        return
    server, operator = a_server(policy), person("somebody", role)
    plan = Plan(action=key, operator=operator, server=server, server_key=server.key, digest="d")
    asked = demands(
        need, actor=actor_for(operator), plan=plan, server=server, action=action_for(key), given=Given(reason=REASON)
    )
    assert [demand.key.value for demand in asked] == ASKED[need]


def test_an_action_of_the_other_kind_and_a_server_out_of_scope_do_not_exist(
    as_operator: Callable[[Operator], Client],
) -> None:
    redis, operator = a_server("dev"), person("narrow")
    grant(operator, Role.MAINTAINER, ScopeKind.SERVER, "another")
    assert as_operator(operator).get(f"/servers/{redis.key}/do/keyspace.delete_key/").status_code == 404
    postgres = a_server("dev", "postgres")
    alice = person("alice", Role.MAINTAINER)
    assert as_operator(alice).get(f"/servers/{postgres.key}/do/keyspace.delete_key/").status_code == 404
    assert as_operator(alice).get(f"/servers/{redis.key}/do/no.such/").status_code == 404


# -- at the button -----------------------------------------------------------------------------------------------------


@pytest.fixture
def prod(redis_clean: RedisServer, settings: Settings, private_folders: None) -> Server:
    settings.REQUIRE_SECOND_FACTOR = False
    redis_clean.command("SET", "cart:tmp:1", "1")
    redis_clean.command("SET", "cart:user:1", "stays")
    return register_redis(redis_clean, key="orders-cache", environment="prod")


def planned(client: Client, server: Server, action: str, **params: Any) -> Plan:
    answer = client.post(f"/servers/{server.key}/do/{action}/", params)
    assert answer.status_code == 302, re.findall(r"<b>(.*?)</b>", answer.content.decode())
    return Plan.objects.get(uid=answer["Location"].split("/")[2])


def token_of(client: Client, plan: Plan) -> str:
    page = client.get(f"/plans/{plan.uid}/").content.decode()
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found, page[:500]
    return found[1]


def press(client: Client, plan: Plan, **given: str) -> Any:
    return client.post(f"/plans/{plan.uid}/run/", {"token": token_of(client, plan), **given})


def test_a_key_in_production_goes_only_with_reason_name_and_fresh_sign_in(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client], redis_clean: RedisServer
) -> None:
    client = as_operator(alice)
    plan = planned(client, prod, "keyspace.delete_key", name=ref(b"cart:tmp:1"), db=0)
    for given in ({}, {"reason": REASON}, {"reason": "short", "name": prod.key}, {"reason": REASON, "name": "orders"}):
        assert press(client, plan, **given).status_code == 422
    assert press(client, plan, reason=REASON, name=prod.key).status_code == 422, "the sign-in is not fresh"
    assert Run.objects.count() == 0 and redis_clean.command("EXISTS", "cart:tmp:1") == 1
    make_fresh(client)
    answer = press(client, plan, reason=REASON, name=prod.key)
    assert answer.status_code == 302
    run = Run.objects.get()
    assert (run.state, run.reason) == ("done", REASON)
    assert redis_clean.command("KEYS", "*") == [b"cart:user:1"]
    assert AuditEntry.objects.filter(phase="denied").count() == 5


def test_what_was_typed_is_still_there_when_something_is_missing(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    client = as_operator(alice)
    plan = planned(client, prod, "keyspace.delete_key", name=ref(b"cart:tmp:1"), db=0)
    page = press(client, plan, reason=REASON, name="orders-cach").content.decode()
    assert REASON in page and 'value="orders-cach"' in page
    assert REASON in client.get(f"/plans/{plan.uid}/").content.decode(), "and after signing in afresh"


def test_a_token_is_of_one_session_and_one_plan(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client], redis_clean: RedisServer
) -> None:
    mine, elsewhere = as_operator(alice), as_operator(alice)
    for client in (mine, elsewhere):
        make_fresh(client)
    plan = planned(mine, prod, "keyspace.delete_key", name=ref(b"cart:tmp:1"), db=0)
    other = planned(mine, prod, "keyspace.delete_key", name=ref(b"cart:user:1"), db=0)
    given = {"reason": REASON, "name": prod.key}
    assert mine.post(f"/plans/{plan.uid}/run/", {"token": token_of(mine, other), **given}).status_code == 409
    assert mine.post(f"/plans/{plan.uid}/run/", {"token": token_of(mine, plan) + "x", **given}).status_code == 409
    assert mine.post(f"/plans/{plan.uid}/run/", given).status_code == 409
    stolen = elsewhere.post(f"/plans/{plan.uid}/run/", {"token": token_of(mine, plan), **given})
    assert stolen.status_code == 409
    assert Run.objects.count() == 0 and redis_clean.command("DBSIZE") == 2


def test_the_plan_of_somebody_else_does_not_exist(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    plan = planned(as_operator(alice), prod, "keyspace.delete_key", name=ref(b"cart:tmp:1"), db=0)
    other = as_operator(person("mallory", Role.MAINTAINER))
    assert other.get(f"/plans/{plan.uid}/").status_code == 404
    assert other.post(f"/plans/{plan.uid}/run/", {"token": "x"}).status_code == 404
    assert other.post(f"/plans/{plan.uid}/drop/").status_code == 404


def test_pressing_again_leads_to_the_same_run(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    client = as_operator(alice)
    make_fresh(client)
    plan = planned(client, prod, "keyspace.delete_key", name=ref(b"cart:tmp:1"), db=0)
    form = {"token": token_of(client, plan), "reason": REASON, "name": prod.key}
    first, again = (client.post(f"/plans/{plan.uid}/run/", form) for _ in range(2))
    assert first["Location"] == again["Location"] == f"/runs/{Run.objects.get().pk}/"
    assert client.get(f"/plans/{plan.uid}/")["Location"] == first["Location"], "the back button"


def test_a_plan_ends_and_a_plan_that_was_put_away_cannot_be_run(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client], redis_clean: RedisServer
) -> None:
    client = as_operator(alice)
    make_fresh(client)
    plan = planned(client, prod, "keyspace.delete_key", name=ref(b"cart:tmp:1"), db=0)
    token = token_of(client, plan)
    Plan.objects.filter(pk=plan.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    given = {"token": token, "reason": REASON, "name": prod.key}
    assert client.post(f"/plans/{plan.uid}/run/", given).status_code == 409
    Plan.objects.filter(pk=plan.pk).update(expires_at=timezone.now() + timedelta(hours=1))
    client.post(f"/plans/{plan.uid}/drop/")
    assert client.post(f"/plans/{plan.uid}/run/", given).status_code == 409
    assert redis_clean.command("EXISTS", "cart:tmp:1") == 1


@pytest.mark.parametrize("change", ["addresses", "database", "environment"])
def test_a_server_that_was_registered_otherwise_since_voids_the_plan(
    change: str, prod: Server, alice: Operator, redis_clean: RedisServer
) -> None:
    at = Door(actor=actor_for(alice), server=prod)
    plan = at.plans("keyspace.delete_key", name=b"cart:tmp:1")
    new = {"addresses": [{"host": "127.0.0.1", "port": 1}], "database": "3", "environment": "dev"}[change]
    Server.objects.filter(pk=prod.pk).update(**{change: new})
    with pytest.raises(Refused, match="changed since"):
        at.submits(Plan.objects.get(pk=plan.pk))
    assert redis_clean.command("EXISTS", "cart:tmp:1") == 1


def test_a_changed_plan_row_is_found_by_its_digest(prod: Server, alice: Operator, redis_clean: RedisServer) -> None:
    at = Door(actor=actor_for(alice), server=prod)
    plan = at.plans("keyspace.delete_key", name=b"cart:tmp:1")
    forged = at.plans("keyspace.delete_key", name=b"cart:user:1")
    Plan.objects.filter(pk=plan.pk).update(params=forged.params)
    with pytest.raises(Refused, match="changed since"):
        at.submits(Plan.objects.get(pk=plan.pk))
    assert redis_clean.command("DBSIZE") == 2


# -- a second person ---------------------------------------------------------------------------------------------------


def pattern_plan(at: Door) -> Plan:
    return at.plans("keyspace.delete_pattern", pattern=b"cart:tmp:*", pace="full")


def test_a_destructive_change_in_production_waits_for_a_second_person(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client], redis_clean: RedisServer
) -> None:
    frank, client = person("frank", Role.MAINTAINER), as_operator(alice)
    make_fresh(client)
    plan = planned(
        client, prod, "keyspace.delete_pattern", pattern="cart:tmp:*", pace="full", large="leave", db=0, archive="on"
    )
    given = {"reason": REASON, "name": prod.key}
    assert press(client, plan, **given).status_code == 422
    assert client.post(f"/plans/{plan.uid}/ask/", {"reason": "short"}).status_code == 409
    assert client.post(f"/plans/{plan.uid}/ask/", {"reason": REASON}).status_code == 302
    asked = Approval.objects.get()
    second = as_operator(frank)
    make_fresh(second)
    assert b"wait" in second.get("/approvals/").content
    page = second.get(f"/approvals/{asked.pk}/").content.decode()
    assert "alice asks you to agree" in page and REASON in page and "cart:tmp:1" in page and "What moved" in page
    assert second.post(f"/approvals/{asked.pk}/answer/", {"answer": "agreed"}).status_code == 302
    assert Run.objects.count() == 0, "agreeing starts nothing"
    assert press(client, plan, **given).status_code == 302
    run = Run.objects.get()
    execution.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "done" and redis_clean.command("KEYS", "*") == [b"cart:user:1"]
    phases = list(AuditEntry.objects.exclude(phase="denied").order_by("seq").values_list("phase", "actor"))
    assert phases == [("asked", "alice"), ("answered", "frank"), ("intent", "alice"), ("outcome", "alice")]


def test_nobody_agrees_to_their_own_plan_nor_without_the_right_to_do_it(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    person("frank", Role.MAINTAINER)
    at = Door(actor=actor_for(alice), server=prod)
    approval = agreeing.ask(at.actor, pattern_plan(at), reason=REASON)
    for name, role in (("alice", None), ("olga", Role.OPERATOR), ("dana", Role.ADMIN), ("victor", Role.VIEWER)):
        operator = alice if name == "alice" else person(name, role)
        client = as_operator(operator)
        make_fresh(client)
        answer = client.post(f"/approvals/{approval.pk}/answer/", {"answer": "agreed"})
        assert answer.status_code in (403, 422), name
    approval.refresh_from_db()
    assert approval.state == "asked"


def test_a_denial_needs_a_comment_and_ends_the_plan(
    prod: Server, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    frank = person("frank", Role.MAINTAINER)
    at = Door(actor=actor_for(alice), server=prod)
    plan = pattern_plan(at)
    approval = agreeing.ask(at.actor, plan, reason=REASON)
    client = as_operator(frank)
    make_fresh(client)
    assert client.post(f"/approvals/{approval.pk}/answer/", {"answer": "denied"}).status_code == 422
    said = {"answer": "denied", "comment": "the new checkout reads them still"}
    assert client.post(f"/approvals/{approval.pk}/answer/", said).status_code == 302
    with pytest.raises(execution.NotMet):
        at.submits(Plan.objects.get(pk=plan.pk))


def agreed(at: Door, by: Operator) -> tuple[Plan, Approval]:
    plan = pattern_plan(at)
    approval = agreeing.ask(at.actor, plan, reason=REASON)
    agreeing.answer(approval, actor_for(by), state="agreed", comment="")
    return Plan.objects.get(pk=plan.pk), Approval.objects.get(pk=approval.pk)


def test_an_agreement_ends_with_its_hour_with_the_rights_of_who_gave_it_and_with_the_plan(
    prod: Server, alice: Operator
) -> None:
    frank = person("frank", Role.MAINTAINER)
    person("grace", Role.MAINTAINER)
    at = Door(actor=actor_for(alice), server=prod)
    plan, approval = agreed(at, frank)
    action = action_for(plan.action)
    assert guard.approval_problem(approval, plan, prod, action) == ""
    frank.assignments.all().delete()
    assert "could not agree any more" in guard.approval_problem(approval, plan, prod, action)
    with pytest.raises(execution.NotMet):
        at.submits(plan)
    grant(frank, Role.MAINTAINER)
    approval.digest = "another plan"
    assert "another plan" in guard.approval_problem(approval, plan, prod, action)
    approval.digest, approval.expires_at = plan.digest, timezone.now() - timedelta(seconds=1)
    assert "ended" in guard.approval_problem(approval, plan, prod, action)


def test_who_agreed_and_lost_the_right_before_the_worker_began_stops_the_run(
    prod: Server, alice: Operator, redis_clean: RedisServer
) -> None:
    frank = person("frank", Role.MAINTAINER)
    person("grace", Role.MAINTAINER)
    at = Door(actor=actor_for(alice), server=prod)
    plan, _ = agreed(at, frank)
    run = at.submits(plan)
    frank.assignments.all().delete()
    run = at.carries_out(run)
    assert run.state == "failed" and "could not agree any more" in run.outcome
    assert redis_clean.command("EXISTS", "cart:tmp:1") == 1


def test_two_who_answer_at_once_are_counted_once(prod: Server, alice: Operator) -> None:
    people = [person(f"maintainer-{n}", Role.MAINTAINER) for n in range(4)]
    at = Door(actor=actor_for(alice), server=prod)
    approval = agreeing.ask(at.actor, pattern_plan(at), reason=REASON)
    gate, outcomes = threading.Barrier(4), []

    def answer(operator: Operator, state: str) -> None:
        gate.wait()
        try:
            fresh = Approval.objects.select_related("plan__server", "plan__operator").get(pk=approval.pk)
            agreeing.answer(fresh, actor_for(operator), state=state, comment="because of reasons")
            outcomes.append(state)
        except Refused:
            pass
        finally:
            connection.close()

    threads = [
        threading.Thread(target=answer, args=(operator, state))
        for operator, state in zip(people, ("agreed", "denied", "agreed", "denied"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    approval.refresh_from_db()
    assert outcomes == [approval.state]
    assert AuditEntry.objects.filter(phase="answered").count() == 1


def test_a_plan_that_moved_cannot_be_agreed_to(prod: Server, alice: Operator, redis_clean: RedisServer) -> None:
    """The type of the key changed between the plan and the answer."""
    frank = person("frank", Role.MAINTAINER)
    at = Door(actor=actor_for(alice), server=prod)
    plan = at.plans("keyspace.delete_key", name=b"cart:tmp:1")
    approval = agreeing.ask(at.actor, plan, reason=REASON)
    redis_clean.command("DEL", "cart:tmp:1")
    redis_clean.command("RPUSH", "cart:tmp:1", "1")
    with pytest.raises(Refused, match="no longer holds"):
        agreeing.answer(approval, actor_for(frank), state="agreed", comment="")
    approval.refresh_from_db()
    assert approval.state == "void"


def test_where_nobody_else_could_agree_there_are_ten_minutes_in_which_it_can_be_cancelled(
    prod: Server, alice: Operator, redis_clean: RedisServer
) -> None:
    at = Door(actor=actor_for(alice), server=prod)
    run = at.submits(pattern_plan(at))
    assert run.single_person and run.not_before > timezone.now() + DELAY - timedelta(seconds=30)
    run = at.carries_out(run)
    assert run.state == "queued" and redis_clean.command("EXISTS", "cart:tmp:1") == 1
    assert '"single_person":true' in AuditEntry.objects.get(phase="intent").payload
    execution.ask_to_stop(run, by=at.actor)
    run.refresh_from_db()
    assert run.state == "cancelled" and redis_clean.command("EXISTS", "cart:tmp:1") == 1
    second = at.submits(pattern_plan(at))
    Run.objects.filter(pk=second.pk).update(not_before=timezone.now())
    assert at.carries_out(second).state == "done"


def test_an_undo_asks_for_no_second_person(prod: Server, alice: Operator) -> None:
    action = action_for("keyspace.delete_pattern.undo")
    person("frank", Role.MAINTAINER)
    need = need_of(action, permit(alice, action.permission, prod.place))
    assert need is Need.SUDO


# -- freeze, limits, factors, versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "key"), [("all", ""), ("environment", "prod"), ("server", "orders-cache")])
def test_a_freeze_stops_plans_buttons_and_workers(
    scope: str, key: str, prod: Server, alice: Operator, redis_clean: RedisServer
) -> None:
    at = Door(actor=actor_for(alice), server=prod)
    plan = at.plans("keyspace.delete_key", name=b"cart:tmp:1")
    waiting = execution._create(
        at.actor, pattern_plan(at), action_for("keyspace.delete_pattern"), Given(reason=REASON), single_person=True
    )
    Run.objects.filter(pk=waiting.pk).update(not_before=timezone.now())
    freeze = Freeze.objects.create(scope=scope, key=key, reason="the sale goes on", by="dana")
    with pytest.raises(Refused, match="the sale goes on"):
        at.plans("keyspace.delete_key", name=b"cart:tmp:1")
    with pytest.raises(Refused, match="frozen"):
        at.submits(plan)
    assert "frozen" in at.carries_out(waiting).outcome
    assert redis_clean.command("DBSIZE") == 2
    Freeze.objects.filter(pk=freeze.pk).update(lifted_at=timezone.now())
    assert at.submits(Plan.objects.get(pk=plan.pk)).pk


def test_a_freeze_elsewhere_stops_nothing(prod: Server, alice: Operator) -> None:
    for scope, key in (("environment", "dev"), ("server", "other")):
        Freeze.objects.create(scope=scope, key=key, reason="elsewhere", by="dana")
    Freeze.objects.create(scope="all", reason="over", by="dana", until=timezone.now() - timedelta(seconds=1))
    assert Door(actor=actor_for(alice), server=prod).plans("keyspace.delete_key", name=b"cart:tmp:1").state == "ready"


def test_an_admin_freezes_and_lifts_and_what_waits_is_cancelled(
    prod: Server, alice: Operator, dana: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    at = Door(actor=actor_for(alice), server=prod)
    waiting = at.submits(pattern_plan(at))
    client = as_operator(dana)
    assert client.get("/freezes/").status_code == 200
    form = {"scope": "environment", "key": "prod", "reason": "the sale goes on", "hours": "2"}
    assert client.post("/freezes/", form).status_code in (302, 303) and not Freeze.objects.exists(), "not fresh"
    make_fresh(client)
    assert client.post("/freezes/", {**form, "key": "nowhere"}).status_code == 422
    assert client.post("/freezes/", form).status_code == 302
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    client.post(f"/freezes/{Freeze.objects.get().pk}/lift/")
    assert Freeze.objects.get().lifted_by == "dana"
    assert list(AuditEntry.objects.filter(phase="console").order_by("seq").values_list("action", flat=True)) == [
        "freeze.begin",
        "freeze.lift",
    ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.MAINTAINER, Role.AUDITOR])
def test_nobody_but_an_admin_freezes(role: Role, as_operator: Callable[[Operator], Client]) -> None:
    client = as_operator(person("somebody", role))
    make_fresh(client)
    assert client.post("/freezes/", {"scope": "all", "reason": "because I can"}).status_code == 403
    assert not Freeze.objects.exists()


def test_the_fourth_destructive_run_within_an_hour_waits(
    redis_clean: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client], door: OpenDoor
) -> None:
    at = door(alice)
    for n in range(3):
        redis_clean.command("SET", f"cart:tmp:{n}", "1")
        assert at.does("keyspace.delete_pattern", pattern=b"cart:tmp:*", pace="full").state == "done"
    redis_clean.command("SET", "cart:tmp:4", "1")
    answer = as_operator(alice).post(
        f"/servers/{at.server.key}/do/keyspace.delete_pattern/", {"pattern": "cart:tmp:*", "db": 0}
    )
    assert answer.status_code == 429 and int(answer["Retry-After"]) > 3000
    assert redis_clean.command("EXISTS", "cart:tmp:4") == 1


def test_production_asks_for_a_second_factor_before_any_plan(
    prod: Server, alice: Operator, settings: Settings, as_operator: Callable[[Operator], Client]
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client, path = as_operator(alice), f"/servers/{prod.key}/do/keyspace.delete_key/"
    refused = client.post(path, {"name": ref(b"cart:tmp:1"), "db": 0})
    assert refused.status_code == 403 and b"second factor" in refused.content
    set_up_factor(alice)
    assert as_operator(alice).post(path, {"name": ref(b"cart:tmp:1"), "db": 0}).status_code == 302


@pytest.mark.parametrize(
    ("product", "version", "is_open"),
    [
        ("Redis", "7.0.15", True),
        ("Redis", "8.9.0", False),
        ("Redis", "99.0", False),
        ("Valkey", "9.1", True),
        ("Redis", "", True),
    ],
)
def test_a_version_that_nobody_tried_is_read_only(
    product: str, version: str, is_open: bool, redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", "1")
    at = door(alice)
    LastKnown.objects.create(server=at.server, figures={"product": product, "version": version})
    if is_open:
        assert at.plans("keyspace.delete_key", name=b"a").state == "ready"
    else:
        with pytest.raises(Refused, match="not tested"):
            at.plans("keyspace.delete_key", name=b"a")


def test_a_right_that_the_account_lacks_is_named_on_the_grey_button(
    redis_clean: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client], door: OpenDoor
) -> None:
    redis_clean.command("SET", "a", "1")
    at = door(alice)
    lacking = {"ok": False, "missing": "ACL SETUSER signalbox +unlink", "reason": "Keys are looked at, not changed."}
    stored_capabilities(at.server, {"operate": {"keyspace.change": lacking}}, timezone.now())
    page = as_operator(alice).get(f"/servers/{at.server.key}/keyspace/{ref(b'a')}/").content.decode()
    assert "disabled" in page and "ACL SETUSER signalbox +unlink" in page
    with pytest.raises(Refused, match="ACL SETUSER"):
        Door(actor=at.actor, server=Server.objects.get(pk=at.server.pk)).plans("keyspace.delete_key", name=b"a")


@pytest.mark.parametrize("role", [Role.VIEWER])
def test_a_button_that_a_role_can_never_press_is_not_there(
    role: Role, redis_clean: RedisServer, as_operator: Callable[[Operator], Client]
) -> None:
    redis_clean.command("SET", "a", "1")
    server = register_redis(redis_clean)
    page = as_operator(person("somebody", role)).get(f"/servers/{server.key}/keyspace/{ref(b'a')}/").content.decode()
    assert "Delete key" not in page and "/do/" not in page


def test_a_get_plans_nothing(prod: Server, alice: Operator, as_operator: Callable[[Operator], Client]) -> None:
    client = as_operator(alice)
    assert client.get(f"/servers/{prod.key}/do/keyspace.delete_key/?name={ref(b'cart:tmp:1')}").status_code == 200
    for path in ("run", "ask", "drop"):
        plan = planned(client, prod, "keyspace.delete_key", name=ref(b"cart:tmp:1"), db=0)
        assert client.get(f"/plans/{plan.uid}/{path}/").status_code == 405
    assert Run.objects.count() == 0
