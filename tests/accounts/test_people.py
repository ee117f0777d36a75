"""What an admin does with operators, and the two rules that hold: not with oneself, and an admin remains."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from apps.accounts import people, reads
from apps.accounts.models import Assignment, Operator, Role, ScopeKind
from tests.accounts.conftest import is_signed_in, set_up_factor, sign_in
from tests.conftest import grant, person

WHY = "OPS-2231: support looks at mails"


@pytest.fixture
def admin(dana: Operator, fresh: Any) -> Client:
    client: Client = fresh(dana)
    return client


def roles_of(operator: Operator) -> set[tuple[str, str, str]]:
    return set(operator.assignments.in_force().values_list("role", "scope_kind", "scope_key"))


def test_an_admin_grants_a_role_with_scope_end_and_reason(admin: Client, charlie: Operator) -> None:
    form = {
        "role": "operator",
        "scope_kind": "environment",
        "scope_key": "staging",
        "until": "2099-11-27T08:00",
        "reason": WHY,
    }
    assert admin.post("/operators/people/charlie/grant/", form).status_code == 302
    row = Assignment.objects.get(operator=charlie)
    assert (row.role, row.scope_kind, row.scope_key, row.granted_by, row.reason) == (
        "operator",
        "environment",
        "staging",
        "dana",
        WHY,
    )
    assert row.expires_at == datetime(2099, 11, 27, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"role": "root"}, "root is not one of the available choices"),
        ({"scope_key": "qa"}, "There are dev, staging, prod"),
        ({"scope_kind": "server", "scope_key": ""}, "Name the environment, tag or server"),
        ({"scope_kind": "server", "scope_key": "<b>"}, "Use letters"),
        ({"until": "2001-01-01T00:00"}, "in the past"),
        ({"until": "tomorrow"}, "valid date"),
        ({"reason": "because"}, "at least 10 characters"),
        ({"role": "admin"}, "administers the whole console"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(
    admin: Client, charlie: Operator, change: dict[str, str], said: str
) -> None:
    form = {"role": "operator", "scope_kind": "environment", "scope_key": "staging", "until": "", "reason": WHY}
    answer = admin.post("/operators/people/charlie/grant/", form | change)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not roles_of(charlie)


def test_a_role_that_is_held_is_not_granted_twice(admin: Client, bob: Operator) -> None:
    form = {"role": "viewer", "scope_kind": "all", "reason": WHY}
    assert "holds that role there already" in admin.post("/operators/people/bob/grant/", form).content.decode()


def test_a_revoked_role_is_over_at_the_next_click(admin: Client, erin: Operator, as_operator: Any) -> None:
    auditor = as_operator(erin)
    assert auditor.get("/operators/").status_code == 200
    row = Assignment.objects.get(operator=erin)
    admin.post(f"/operators/people/erin/revoke/{row.pk}/")
    assert auditor.get("/operators/").status_code == 403
    row.refresh_from_db()
    assert (row.revoked_by, row.revoked_at is not None) == ("dana", True)


def test_a_role_of_somebody_else_is_not_revoked_by_mistake(admin: Client, alice: Operator, bob: Operator) -> None:
    row = Assignment.objects.get(operator=alice)
    assert admin.post(f"/operators/people/bob/revoke/{row.pk}/").status_code == 404
    assert roles_of(alice)


def test_locking_and_unlocking(admin: Client, bob: Operator) -> None:
    client = sign_in("bob")
    admin.post("/operators/people/bob/lock/", {"reason": "left the company"})
    assert not is_signed_in(client)
    assert not is_signed_in(sign_in("bob"))
    admin.post("/operators/people/bob/unlock/")
    assert is_signed_in(sign_in("bob"))
    assert roles_of(bob) == {("viewer", "all", "")}, "the roles stayed"


def test_a_lock_needs_its_reason(admin: Client, bob: Operator) -> None:
    admin.post("/operators/people/bob/lock/", {"reason": "so"})
    assert Operator.objects.get(pk=bob.pk).locked_at is None


@pytest.mark.parametrize(
    "path",
    ["lock/", "unlock/", "grant/", "revoke/1/", "code/", "second-factor/reset/", "sessions/end/", "sessions/1/end/"],
)
def test_nobody_but_an_admin_changes_people(
    path: str, alice: Operator, bob: Operator, erin: Operator, fresh: Any
) -> None:
    for who in (alice, bob, erin):
        assert fresh(who).post(f"/operators/people/bob/{path}", {"reason": WHY}).status_code == 403
    assert Client().post(f"/operators/people/bob/{path}").status_code == 302
    assert Operator.objects.get(pk=bob.pk).locked_at is None


@pytest.mark.parametrize(
    "path", ["lock/", "unlock/", "grant/", "revoke/1/", "code/", "second-factor/reset/", "sessions/end/"]
)
def test_looking_changes_nobody(path: str, admin: Client, bob: Operator) -> None:
    assert admin.get(f"/operators/people/bob/{path}").status_code == 405


def test_nobody_changes_themselves(admin: Client, dana: Operator) -> None:
    person("frank", Role.ADMIN)
    row = Assignment.objects.get(operator=dana)
    set_up_factor(dana)
    admin.post("/operators/people/dana/lock/", {"reason": "left the company"})
    admin.post("/operators/people/dana/grant/", {"role": "maintainer", "scope_kind": "all", "reason": WHY})
    admin.post(f"/operators/people/dana/revoke/{row.pk}/")
    admin.post("/operators/people/dana/second-factor/reset/")
    assert roles_of(dana) == {("admin", "all", "")}
    assert Operator.objects.get(pk=dana.pk).may_sign_in
    assert Authenticator.objects.filter(user=dana).count() == 2


def test_the_last_admin_is_neither_locked_nor_revoked(dana: Operator) -> None:
    frank = person("frank")
    grant(frank, Role.ADMIN).__class__.objects.filter(operator=frank).update(
        expires_at=timezone.now() + timedelta(days=1)
    )
    with pytest.raises(people.Refused, match="only admin"):
        people.lock(dana, by="frank", reason="left the company")
    with pytest.raises(people.Refused, match="only admin"):
        people.revoke(Assignment.objects.get(operator=dana), by="frank")
    assert people.only_admin() == dana
    Assignment.objects.filter(operator=frank).update(expires_at=None)
    people.lock(dana, by="frank", reason="left the company")
    assert people.only_admin() == frank


@pytest.mark.django_db(transaction=True)
def test_two_admins_cannot_lock_each_other_at_the_same_moment() -> None:
    dana, frank = person("dana", Role.ADMIN), person("frank", Role.ADMIN)
    start, refused = threading.Barrier(2), []

    def lock(whom: Operator, by: str) -> None:
        start.wait(timeout=10)
        try:
            people.lock(whom, by=by, reason="left the company")
        except people.Refused as error:
            refused.append(str(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=lock, args=pair) for pair in ((dana, "frank"), (frank, "dana"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(refused) == 1, connection.vendor
    assert Operator.objects.filter(locked_at=None).count() == 1


def test_an_invited_person_sets_the_password_alone(admin: Client) -> None:
    page = admin.post(
        "/operators/invite/", {"username": "grace", "name": "Grace", "note": "external audit"}
    ).content.decode()
    code = re.search(r"\b([A-Z2-9]{6}-){3}[A-Z2-9]{6}\b", page)
    assert code is not None
    grace = Operator.objects.get(username="grace")
    assert not grace.has_usable_password()
    assert not roles_of(grace)
    form = {
        "username": "grace",
        "code": code[0],
        "password1": "my own long password",
        "password2": "my own long password",
    }
    Client().post("/accounts/welcome/", form)
    assert is_signed_in(sign_in("grace", "my own long password"))


@pytest.mark.parametrize("username", ["", "Grace", "a b", "../x", "gr/ace", "<b>", "bob", "x" * 65, "-x", "eve\n"])
def test_a_name_that_is_none_is_refused(admin: Client, bob: Operator, username: str) -> None:
    before = Operator.objects.count()
    answer = admin.post("/operators/invite/", {"username": username})
    if username == "eve\n":  # a form strips what a browser may add
        assert Operator.objects.get(username="eve")
        return
    assert answer.status_code == 422
    assert Operator.objects.count() == before


def test_a_lost_factor_is_reset_and_whoever_holds_it_is_out(admin: Client, bob: Operator) -> None:
    client = sign_in("bob")
    set_up_factor(bob)
    admin.post("/operators/people/bob/second-factor/reset/")
    assert not Authenticator.objects.filter(user=bob).exists()
    assert not is_signed_in(client)


def test_an_admin_ends_one_session_or_all(admin: Client, bob: Operator) -> None:
    first, second, third = (sign_in("bob") for _ in range(3))
    rows = {s.session_key: s.pk for s in bob.usersession_set.all()}  # type: ignore[attr-defined]
    admin.post(f"/operators/people/bob/sessions/{rows[first.session.session_key]}/end/")
    assert [is_signed_in(c) for c in (first, second, third)] == [False, True, True]
    admin.post("/operators/people/bob/sessions/end/")
    assert not any(is_signed_in(c) for c in (second, third))


def test_the_page_puts_those_first_who_need_attention(
    admin: Client, alice: Operator, bob: Operator, charlie: Operator, settings: Any
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    set_up_factor(bob)
    Assignment.objects.filter(operator=bob).update(expires_at=timezone.now() + timedelta(days=3))
    grant(charlie, Role.VIEWER, ScopeKind.ENVIRONMENT, "dev")
    assert [(p.operator.username, p.problem) for p in reads.people()] == [
        ("alice", "crit"),
        ("dana", "crit"),
        ("bob", "warn"),
        ("charlie", ""),
    ]
    page = admin.get("/operators/people/bob/").content.decode()
    assert "2 operators have no second factor where one is demanded; 1 with a role that ends within 14 days" in page
    assert "Grant bob a role" in page


def test_the_page_asks_as_much_for_many_as_for_few(dana: Operator, django_assert_num_queries: Any) -> None:
    for n in range(20):
        sign_in(person(f"viewer{n}", Role.VIEWER).username, address=f"198.51.{n}.1")
    with django_assert_num_queries(4):
        assert len(reads.people()) == 21


def test_forms_to_change_people_appear_once_the_sign_in_is_fresh(
    dana: Operator, bob: Operator, erin: Operator, as_operator: Any, fresh: Any
) -> None:
    stale = as_operator(dana).get("/operators/people/bob/").content.decode()
    assert "Sign in afresh" in stale
    assert "people/bob/lock/" not in stale
    assert "people/bob/lock/" in fresh(dana).get("/operators/people/bob/").content.decode()
    assert "people/bob/lock/" not in fresh(erin).get("/operators/people/bob/").content.decode(), "an auditor only looks"


def test_hostile_names_browsers_and_reasons_are_shown_as_text(admin: Client, bob: Operator) -> None:
    Operator.objects.filter(pk=bob.pk).update(name="<img src=x>", note='"><script>alert(1)</script>')
    Client(HTTP_USER_AGENT="<script>alert(2)</script>").post(
        "/accounts/login/", {"login": "bob", "password": "a long enough passphrase"}
    )
    Assignment.objects.filter(operator=bob).update(reason="<b>bold</b>")
    page = admin.get("/operators/people/bob/").content.decode()
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;alert(2)" in page, "the whole of what a browser claims stands in the title"
