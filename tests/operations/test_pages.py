"""The pages of the door, as each person sees them: runs, one run, what was kept, approvals, freezes, audit."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Operator, Role, ScopeKind
from apps.operations import execution
from apps.operations.catalogue import action_for
from apps.operations.guard import Given
from apps.operations.models import Freeze, Run
from apps.servers.models import Server
from tests.accounts.conftest import make_fresh
from tests.conftest import grant, person
from tests.operations.door import Door, OpenDoor
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[[Operator], Client]
HOSTILE = b"cart:<script>x</script>'\"&\xff%2e"
ESCAPED = "&lt;script&gt;x&lt;/script&gt;"
DELETE = "keyspace.delete_key"
REASON = "ticket 4711: it has to go"


def page(client: Client, path: str, expected: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == expected, path
    return str(answer.content.decode())


def ran(at: Door, redis: RedisServer, name: bytes = HOSTILE) -> Run:
    redis.command("SET", name, "three apples")
    run = at.does(DELETE, name=name)
    assert run.state == "done", run.outcome
    return run


def waiting(at: Door, redis: RedisServer, name: bytes = b"cart:1") -> Run:
    """A run that is queued and that nobody begins."""
    redis.command("SET", name, "three apples")
    plan = at.plans(DELETE, name=name)
    run = execution._create(at.actor, plan, action_for(DELETE), Given(reason=REASON), single_person=True)
    run.refresh_from_db()
    assert run.state == "queued"
    return run


# -- runs --------------------------------------------------------------------------------------------------------------


def test_with_no_run_the_pages_say_so(bob: Operator, dana: Operator, as_operator: SignIn) -> None:
    client = as_operator(bob)
    assert "Nobody changed anything yet" in page(client, "/runs/")
    assert "No run is like that" in page(client, "/runs/?q=nothing")
    assert "Nothing is kept now" in page(client, "/archive/")
    assert "No question yet" in page(client, "/approvals/")
    assert "Nothing is frozen" in page(as_operator(dana), "/freezes/")


def test_a_run_is_listed_for_its_scope_and_for_nobody_else(
    redis_clean: RedisServer, alice: Operator, bob: Operator, charlie: Operator, erin: Operator,
    door: OpenDoor, as_operator: SignIn,
) -> None:  # fmt: skip
    run = ran(door(alice), redis_clean)
    elsewhere = person("elsewhere")
    grant(elsewhere, Role.MAINTAINER, ScopeKind.SERVER, "another")
    for who in (alice, bob, erin):
        assert f'href="/runs/{run.pk}/"' in page(as_operator(who), "/runs/"), who
        page(as_operator(who), f"/runs/{run.pk}/")
    for who in (charlie, elsewhere):
        assert f'href="/runs/{run.pk}/"' not in page(as_operator(who), "/runs/"), who
        assert as_operator(who).get(f"/runs/{run.pk}/").status_code == 404
        assert as_operator(who).get(f"/runs/{run.pk}/kept/").status_code == 404
        assert as_operator(who).post(f"/runs/{run.pk}/stop/").status_code == 404


def test_who_could_have_run_it_sees_inside_and_a_viewer_sees_no_name(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = ran(door(alice), redis_clean)
    for who in (alice, erin):
        seen = page(as_operator(who), f"/runs/{run.pk}/")
        assert ESCAPED in seen and "<script>x" not in seen, who
        assert "UNLINK" in seen and "Not for your role" not in seen
    seen = page(as_operator(bob), f"/runs/{run.pk}/")
    assert "Not for your role" in seen and "done" in seen
    assert "script&gt;" not in seen and "<script>x" not in seen, (
        "the name of a key is not a viewer's in every environment"
    )
    assert "three apples" not in seen
    assert as_operator(bob).get(f"/runs/{run.pk}/kept/").status_code == 403


def test_runs_are_found_by_state_server_person_and_words(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    at = door(alice)
    done, queued = ran(at, redis_clean), waiting(at, redis_clean)
    client = as_operator(alice)
    for query, found in (
        ("state=done", {done}), ("state=queued", {queued}), ("state=nonsense", {done, queued}), ("server=cache", {done, queued}),
        ("server=other", set()), ("who=alice", {done, queued}), ("who=bob", set()), ("q=4711", {done, queued}),
        (f"q={done.pk}", {done}), ("action=keyspace.delete_key", {done, queued}), ("action=acl.create_user", set()),
        ("q=%00%3Cscript%3E", set()), ("page=99", {done, queued}), ("page=x", {done, queued}),
    ):  # fmt: skip
        shown = page(client, f"/runs/?{query}")
        listed = {run for run in (done, queued) if f'href="/runs/{run.pk}/"' in shown}
        assert listed == found, query
        assert "<script>x" not in shown


def test_only_the_panel_is_sent_to_who_asks_for_it(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = waiting(door(alice), redis_clean)
    for path, target in (("/runs/", "runs"), (f"/runs/{run.pk}/", "run"), ("/approvals/", "approvals")):
        answer = as_operator(alice).get(path, headers={"HX-Request": "true", "HX-Target": target}).content.decode()
        assert answer.strip().startswith(f'<div class="stack" id="{target}"') and "<html" not in answer


def test_many_runs_are_paged(redis_clean: RedisServer, alice: Operator, door: OpenDoor, as_operator: SignIn) -> None:
    run = ran(door(alice), redis_clean)
    plan = run.plan
    for _ in range(55):
        plan.pk = None
        plan.uid = uuid4()
        plan.save(force_insert=True)
        run.pk, run.plan = None, plan
        run.save(force_insert=True)
    first, second = page(as_operator(alice), "/runs/"), page(as_operator(alice), "/runs/?page=2")
    assert "Page 1 of 2" in first and first.count('href="/runs/') >= 50
    assert "Page 2 of 2" in second


# -- stop --------------------------------------------------------------------------------------------------------------


def test_a_waiting_run_is_cancelled_by_its_button_and_nothing_is_done(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = waiting(door(alice), redis_clean)
    client = as_operator(alice)
    assert f'action="/runs/{run.pk}/stop/"' in page(client, f"/runs/{run.pk}/")
    assert client.get(f"/runs/{run.pk}/stop/").status_code == 405
    client.post(f"/runs/{run.pk}/stop/")
    run.refresh_from_db()
    assert run.state == "cancelled" and redis_clean.command("EXISTS", "cart:1") == 1
    seen = page(client, f"/runs/{run.pk}/")
    assert "Cancelled by alice before it began" in seen and "/stop/" not in seen
    execution.execute(run.pk)
    assert redis_clean.command("EXISTS", "cart:1") == 1


def test_who_could_not_have_begun_it_cannot_stop_it_and_another_maintainer_can(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = waiting(door(alice), redis_clean)
    for who in (bob, erin):
        assert "/stop/" not in page(as_operator(who), f"/runs/{run.pk}/")
        assert as_operator(who).post(f"/runs/{run.pk}/stop/").status_code == 403
    run.refresh_from_db()
    assert run.state == "queued" and run.stop_asked_at is None
    other = person("other", Role.MAINTAINER)
    as_operator(other).post(f"/runs/{run.pk}/stop/")
    run.refresh_from_db()
    assert run.state == "cancelled" and run.stop_asked_by == "other"


# -- what was kept -----------------------------------------------------------------------------------------------------


def test_the_archive_shows_names_to_who_may_and_is_dropped_by_who_may(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = ran(door(alice), redis_clean)
    assert f'href="/runs/{run.pk}/kept/"' in page(as_operator(alice), "/archive/")
    assert f'href="/runs/{run.pk}/kept/"' not in page(as_operator(bob), "/archive/")
    kept = page(as_operator(alice), f"/runs/{run.pk}/kept/")
    assert ESCAPED in kept and "three apples" not in kept and "<script>x" not in kept
    for query in ("?page=7", "?page=-1", "?page=x", "?page=99999999"):
        page(as_operator(alice), f"/runs/{run.pk}/kept/{query}")
    for who in (bob, erin):
        assert as_operator(who).post(f"/runs/{run.pk}/kept/drop/").status_code == 403
    assert page(as_operator(alice), "/archive/").count("/kept/") == 1
    as_operator(alice).post(f"/runs/{run.pk}/kept/drop/")
    assert "Nothing is kept now" in page(as_operator(alice), "/archive/")
    assert "The archive was dropped" in page(as_operator(alice), f"/runs/{run.pk}/")


# -- freezes -----------------------------------------------------------------------------------------------------------


def test_a_freeze_is_an_admins_and_stops_what_waits(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, dana: Operator,
    door: OpenDoor, as_operator: SignIn,
) -> None:  # fmt: skip
    run = waiting(door(alice), redis_clean)
    fields = {"scope": "server", "key": "cache", "hours": "", "reason": "the <script>x</script> move"}
    for who in (alice, bob, erin):
        assert as_operator(who).get("/freezes/").status_code == 403
        assert as_operator(who).post("/freezes/", fields).status_code == 403
    assert not Freeze.objects.exists()
    admin = as_operator(dana)
    make_fresh(admin)
    assert admin.post("/freezes/", fields).status_code == 302
    run.refresh_from_db()
    assert run.state == "cancelled" and redis_clean.command("EXISTS", "cart:1") == 1
    shown = page(admin, "/freezes/")
    assert "1 freeze in force" in shown and ESCAPED in shown and "<script>x" not in shown
    refused = as_operator(alice).get(f"/servers/cache/do/{DELETE}/").content.decode()
    assert "Changes are frozen" in refused and "<script>x" not in refused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scope": "server", "key": "nothing", "reason": REASON}, "There is no such server."),
        ({"scope": "environment", "key": "moon", "reason": REASON}, "There is no such environment."),
        ({"scope": "all", "key": "", "reason": "short"}, "at least"),
        ({"scope": "all", "key": "", "reason": REASON, "hours": "0"}, "greater than"),
    ],
)
def test_a_freeze_that_is_not_understood_loses_nothing(
    dana: Operator, as_operator: SignIn, fields: dict[str, str], said: str
) -> None:
    admin = as_operator(dana)
    make_fresh(admin)
    answer = admin.post("/freezes/", fields)
    assert answer.status_code == 422 and said in answer.content.decode()
    assert fields["reason"] in answer.content.decode()
    assert not Freeze.objects.exists()


def test_a_freeze_is_lifted_once_and_by_an_admin(alice: Operator, dana: Operator, as_operator: SignIn) -> None:
    freeze = Freeze.objects.create(scope="all", key="", reason=REASON, by="dana")
    assert as_operator(alice).post(f"/freezes/{freeze.pk}/lift/").status_code == 403
    admin = as_operator(dana)
    make_fresh(admin)
    admin.post(f"/freezes/{freeze.pk}/lift/")
    freeze.refresh_from_db()
    lifted_at = freeze.lifted_at
    assert lifted_at and lifted_at <= timezone.now()
    admin.post(f"/freezes/{freeze.pk}/lift/")
    freeze.refresh_from_db()
    assert freeze.lifted_at == lifted_at
    assert "lifted by dana" in page(admin, "/freezes/")


# -- audit -------------------------------------------------------------------------------------------------------------


def test_the_audit_is_ones_own_and_everybodys_for_who_audits(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, dana: Operator,
    door: OpenDoor, as_operator: SignIn,
) -> None:  # fmt: skip
    run = ran(door(alice), redis_clean)
    for who, sees in ((alice, True), (erin, True), (dana, True), (bob, False)):
        shown = page(as_operator(who), "/audit/")
        assert (f'href="/runs/{run.pk}/"' in shown) is sees, who
        assert "<script>x" not in shown
    mine, everybody = page(as_operator(alice), "/audit/"), page(as_operator(erin), "/audit/")
    assert "Your own rows" in mine and 'action="/audit/export/' not in mine
    assert "Everybody’s rows" in everybody and 'action="/audit/export/' in everybody
    for query in ("?q=%00", "?row=x", "?row=99999999999999999999", "?before=-1", "?days=x&kind=x", "?who=%3Cscript%3E"):
        assert "<script>x" not in page(as_operator(erin), f"/audit/{query}")


def test_a_row_of_the_audit_opens_for_who_sees_it(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    from apps.operations.models import AuditEntry

    ran(door(alice), redis_clean)
    row = AuditEntry.objects.filter(phase="intent").latest("seq").seq
    opened = page(as_operator(erin), f"/audit/?row={row}")
    assert f"Row {row}" in opened and "<script>x" not in opened and ESCAPED in opened
    assert f"Row {row}" not in page(as_operator(bob), f"/audit/?row={row}")


def test_a_run_on_a_server_that_was_removed_stays_its_operators_and_the_auditors(
    redis_clean: RedisServer, alice: Operator, bob: Operator, erin: Operator, door: OpenDoor, as_operator: SignIn
) -> None:
    run = ran(door(alice), redis_clean)
    Server.objects.all().delete()
    for who in (alice, erin):
        assert "cache" in page(as_operator(who), f"/runs/{run.pk}/")
        assert f'href="/runs/{run.pk}/"' in page(as_operator(who), "/runs/")
    assert as_operator(bob).get(f"/runs/{run.pk}/").status_code == 404
