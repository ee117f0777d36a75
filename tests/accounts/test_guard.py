"""The door: default deny, networks, 404 and 403, the second factor of an environment, sudo, and written reasons."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import get_resolver, path
from django.utils import timezone

from apps.accounts.models import Operator, ReadReason, Role, ScopeKind
from apps.accounts.system_checks import every_route_is_guarded, is_guarded, routes
from apps.servers.access import server_page
from apps.servers.models import Server
from console.urls import urlpatterns as the_console
from tests.accounts.conftest import SEED, code_of, make_fresh, set_up_factor
from tests.conftest import grant

PUBLIC = {
    "accounts/login/",
    "accounts/logout/",
    "accounts/inactive/",
    "accounts/2fa/authenticate/",
    "accounts/welcome/",
    "livez",
    "readyz",
    "metrics",
    "marks/deploy",  # asks for a token of its own
}


def forgotten(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the secret of a forgotten page")


@server_page("keyspace.values")
def values(request: HttpRequest, server: Server) -> HttpResponse:
    return HttpResponse(f"the values of {server.key}")


@server_page("data.unmask")
def unmasked(request: HttpRequest, server: Server) -> HttpResponse:
    return HttpResponse(f"{server.key} unmasked")


urlpatterns = [
    path("forgotten/", forgotten),
    path("values/<slug:key>/", values),
    path("unmasked/<slug:key>/", unmasked),
    *the_console,
]
more_routes = pytest.mark.urls(__name__)
HTMX = {"HX-Request": "true", "HX-Target": "panel-1", "HX-Current-URL": "http://testserver/values/shop-prod/?page=2"}


def test_the_routes_that_answer_without_a_sign_in_are_these() -> None:
    assert {p for p, view in routes(get_resolver()) if getattr(view, "public", False)} == PUBLIC


def test_every_other_route_sends_strangers_to_the_sign_in(db: None) -> None:
    guarded = [p for p, _ in routes(get_resolver()) if p not in PUBLIC]
    assert len(guarded) > 30
    for pattern in guarded:
        for method in ("get", "post"):
            address = "/" + _example(pattern)
            answer = getattr(Client(), method)(address)
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/"), address


def _example(pattern: str) -> str:
    """A path that matches: 7 for every number, zeros for every uuid, x for every text."""
    zeros = "00000000-0000-0000-0000-000000000000"
    parts = [
        part.split(">")[-1].join(["7" if "int:" in part else zeros if "uuid:" in part else "x", ""])
        if ">" in part
        else part
        for part in pattern.split("<")
    ]
    return "".join(parts)


@more_routes
def test_a_route_that_declares_nothing_fails_the_check_and_does_not_answer(alice: Operator, as_operator: Any) -> None:
    assert [e.msg for e in every_route_is_guarded(None)] == ["/forgotten/ declares no permission of the table."]
    client = as_operator(alice)
    with pytest.raises(LookupError, match="forgotten"):
        client.get("/forgotten/")
    client.raise_request_exception = False
    answer = client.get("/forgotten/")
    assert answer.status_code == 500
    assert b"forgotten page" not in answer.content


def test_a_permission_that_is_not_in_the_table_guards_nothing() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    view.permission = "servers.veiw"  # type: ignore[attr-defined]
    assert not is_guarded(view)


def test_the_console_passes_its_own_checks(db: None) -> None:
    assert [m for m in run_checks() if m.id and m.id.startswith("accounts.")] == []


def test_an_unknown_policy_and_a_bad_key_stop_the_start(settings: Any) -> None:
    settings.ENVIRONMENTS = {"qa": {"policy": "quality", "second_factor": False}}
    settings.SECRETBOX_KEYS = "k1:short"
    assert {m.id for m in run_checks() if m.id and m.id.startswith("accounts.")} == {"accounts.E002", "accounts.E003"}


def test_a_fragment_sends_the_whole_page_to_the_sign_in(db: None) -> None:
    answer = Client().get("/operators/", headers=HTMX)
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fvalues%2Fshop-prod%2F%3Fpage%3D2"


def test_a_fragment_cannot_choose_another_site_to_come_back_to(db: None) -> None:
    answer = Client().get("/operators/", headers={**HTMX, "HX-Current-URL": "https://evil.example/values/"})
    assert answer["HX-Redirect"] == "/accounts/login/?next=%2F"


def test_only_the_named_networks_are_answered(settings: Any, db: None) -> None:
    settings.ALLOWED_OPERATOR_NETWORKS = (ipaddress.ip_network("10.20.0.0/16"),)
    assert Client().get("/accounts/login/", REMOTE_ADDR="10.20.1.31").status_code == 200
    assert Client().get("/accounts/login/", REMOTE_ADDR="198.51.100.7").status_code == 403
    assert (
        Client()
        .get("/accounts/login/", REMOTE_ADDR="198.51.100.7", headers={"X-Forwarded-For": "10.20.1.31"})
        .status_code
        == 403
    )
    assert Client().get("/livez", REMOTE_ADDR="198.51.100.7").status_code == 200


@more_routes
def test_what_is_out_of_scope_does_not_exist(
    charlie: Operator, shop_dev: Server, shop_prod: Server, as_operator: Any
) -> None:
    grant(charlie, Role.MAINTAINER, ScopeKind.ENVIRONMENT, "dev")
    client = as_operator(charlie)
    assert client.get("/values/shop-dev/").content == b"the values of shop-dev"
    out_of_scope, no_such = client.get("/values/shop-prod/"), client.get("/values/nothing/")
    assert (out_of_scope.status_code, no_such.status_code) == (404, 404)
    assert out_of_scope.content == no_such.content


@more_routes
def test_in_scope_and_not_allowed_says_who_may_and_who_grants(
    alice: Operator, bob: Operator, dana: Operator, shop_prod: Server, as_operator: Any
) -> None:
    answer = as_operator(bob).get("/values/shop-prod/")
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "May: alice." in page
    assert "Can grant it: dana." in page


@more_routes
def test_a_denied_fragment_stays_in_its_panel(bob: Operator, shop_prod: Server, as_operator: Any) -> None:
    answer = as_operator(bob).get("/values/shop-prod/", headers={**HTMX, "HX-Target": '"><script>'})
    page = answer.content.decode()
    assert answer.status_code == 403
    assert page.strip().startswith("<section")
    assert "<script" not in page
    assert "<html" not in page


@more_routes
def test_prod_stays_closed_without_a_second_factor(
    alice: Operator, shop_prod: Server, shop_dev: Server, as_operator: Any, settings: Any
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = as_operator(alice)
    denied = client.get("/values/shop-prod/")
    assert denied.status_code == 403
    assert b"prod needs a second factor; set one up" in denied.content
    assert b'href="/accounts/2fa/totp/activate/"' in denied.content
    assert client.get("/values/shop-dev/").status_code == 200
    assert b"shop-prod" in client.get("/servers/shop-dev/").content, "it is listed all the same"
    set_up_factor(alice)
    assert client.get("/values/shop-prod/").status_code == 200


@more_routes
def test_the_demand_can_be_turned_off(alice: Operator, shop_prod: Server, as_operator: Any, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    assert as_operator(alice).get("/values/shop-prod/").status_code == 200


@pytest.fixture
def olga(db: None, settings: Any) -> Operator:
    """An operator of everything, where no second factor is demanded."""
    settings.REQUIRE_SECOND_FACTOR = False
    operator = Operator.objects.create_user("olga", "a long enough passphrase")
    grant(operator, Role.OPERATOR)
    return operator


@more_routes
def test_a_reason_opens_one_server_for_a_quarter_of_an_hour(
    olga: Operator, shop_prod: Server, as_operator: Any
) -> None:
    client = as_operator(olga)
    asked = client.get("/values/shop-prod/?page=2")
    assert asked.status_code == 403
    assert b"Why do you need this?" in asked.content
    assert b'value="/values/shop-prod/?page=2"' in asked.content
    form = {
        "permission": "keyspace.values",
        "place_key": "shop-prod",
        "reason": "OPS-17: cart is empty",
        "next": "/values/shop-prod/?page=2",
    }
    assert client.post("/operators/reasons/", form)["Location"] == "/values/shop-prod/?page=2"
    assert client.get("/values/shop-prod/").content == b"the values of shop-prod"
    given = ReadReason.objects.get()
    assert (given.operator, given.reason, given.expires_at - given.at) == (
        olga,
        "OPS-17: cart is empty",
        timedelta(minutes=15),
    )
    Server.objects.filter(pk=shop_prod.pk).update(key="mail-prod")
    assert client.get("/values/mail-prod/").status_code == 403, "another server asks again"
    Server.objects.filter(pk=shop_prod.pk).update(key="shop-prod")
    ReadReason.objects.update(expires_at=timezone.now())
    assert client.get("/values/shop-prod/").status_code == 403, "and so does the same one later"


@more_routes
def test_a_fragment_asks_the_reason_in_its_place(olga: Operator, shop_prod: Server, as_operator: Any) -> None:
    answer = as_operator(olga).get("/values/shop-prod/", headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert 'id="panel-1"' in page
    assert 'name="next" value="/values/shop-prod/?page=2"' in page
    assert "<html" not in page


@more_routes
def test_a_key_opened_in_a_list_is_what_one_comes_back_to_after_the_reason(
    olga: Operator, shop_prod: Server, as_operator: Any
) -> None:
    client = as_operator(olga)
    opened, from_elsewhere = "/values/shop-prod/?page=2&key=abc", {**HTMX, "HX-Current-URL": "http://testserver/"}
    assert (
        'name="next" value="/values/shop-prod/?page=2&amp;key=abc"' in client.get(opened, headers=HTMX).content.decode()
    )
    assert 'name="next" value="/"' in client.get(opened, headers=from_elsewhere).content.decode()


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "too short"},
        {"reason": "         x         "},
        {"permission": "servers.manage"},
        {"permission": "x"},
        {"place_key": "<b>"},
        {"place_key": ""},
    ],
)
def test_a_form_that_is_no_reason_is_not_one(olga: Operator, as_operator: Any, change: dict[str, str]) -> None:
    form = {"permission": "keyspace.values", "place_key": "shop-prod", "reason": "long enough a reason", "next": "/"}
    assert as_operator(olga).post("/operators/reasons/", form | change).status_code == 302
    assert not ReadReason.objects.exists()


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example", "operators"]
)
def test_a_reason_sends_nobody_to_another_site(olga: Operator, as_operator: Any, elsewhere: str) -> None:
    form = {
        "permission": "keyspace.values",
        "place_key": "shop-prod",
        "reason": "long enough a reason",
        "next": elsewhere,
    }
    assert as_operator(olga).post("/operators/reasons/", form)["Location"] == "/"


@more_routes
def test_a_reason_gives_no_right_that_the_table_does_not(bob: Operator, shop_prod: Server, as_operator: Any) -> None:
    client = as_operator(bob)
    client.post(
        "/operators/reasons/",
        {"permission": "keyspace.values", "place_key": "shop-prod", "reason": "long enough a reason"},
    )
    assert ReadReason.objects.filter(operator=bob).exists()
    assert client.get("/values/shop-prod/").status_code == 403


def test_nobody_writes_sixty_reasons_an_hour(olga: Operator, as_operator: Any) -> None:
    now = timezone.now()
    ReadReason.objects.bulk_create(
        ReadReason(
            operator=olga, permission="keyspace.values", place_key="x", reason="a reason", at=now, expires_at=now
        )
        for _ in range(60)
    )
    form = {"permission": "keyspace.values", "place_key": "shop-prod", "reason": "long enough a reason"}
    assert as_operator(olga).post("/operators/reasons/", form).status_code == 429


@more_routes
def test_unmasking_on_prod_asks_a_fresh_sign_in_and_then_a_reason(
    alice: Operator, shop_prod: Server, as_operator: Any
) -> None:
    set_up_factor(alice)
    client = as_operator(alice)
    make_fresh(client, ago_s=301)
    asked = client.get("/unmasked/shop-prod/?k=1")
    sudo = "/accounts/2fa/reauthenticate/?next=%2Funmasked%2Fshop-prod%2F%3Fk%3D1"
    assert (asked.status_code, asked["Location"]) == (303, sudo)
    assert client.post(sudo, {"code": "000000"}).status_code == 200
    assert (
        client.post(sudo, {"code": code_of(SEED), "next": "/unmasked/shop-prod/?k=1"})["Location"]
        == "/unmasked/shop-prod/?k=1"
    )
    assert b"Why do you need this?" in client.get("/unmasked/shop-prod/?k=1").content
    form = {"permission": "data.unmask", "place_key": "shop-prod", "reason": "long enough a reason", "next": "/"}
    client.post("/operators/reasons/", form)
    assert client.get("/unmasked/shop-prod/").content == b"shop-prod unmasked"
    make_fresh(client, ago_s=301)
    assert client.get("/unmasked/shop-prod/").status_code == 303, (
        "the reason is in force, the sign-in is not fresh any more"
    )


def test_a_stale_form_is_not_sent_again_by_itself(dana: Operator, bob: Operator, as_operator: Any) -> None:
    client = as_operator(dana)
    page = {"Referer": "http://testserver/operators/people/bob/"}
    stale = client.post("/operators/people/bob/lock/", {"reason": "left the company"}, headers=page)
    sudo = "/accounts/reauthenticate/?next=%2Foperators%2Fpeople%2Fbob%2F"
    assert (stale.status_code, stale["Location"]) == (303, sudo)
    form = {"password": "a long enough passphrase", "next": "/operators/people/bob/"}
    back = client.post(sudo, form)
    assert (back.status_code, back["Location"]) == (302, "/operators/people/bob/")
    shown = client.get(back["Location"])
    assert b"Nothing was changed" in shown.content
    assert Operator.objects.get(username="bob").locked_at is None


def test_a_stale_fragment_sends_the_whole_page_to_sudo(dana: Operator, as_operator: Any) -> None:
    answer = as_operator(dana).get(
        "/operators/invite/", headers={**HTMX, "HX-Current-URL": "http://testserver/operators/"}
    )
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/accounts/reauthenticate/?next=%2Foperators%2F")


@pytest.mark.parametrize("path", ["/accounts/login/", "/operators/nothing/", "/operators/me/"])
def test_every_answer_carries_the_policy_and_nothing_inline(alice: Operator, as_operator: Any, path: str) -> None:
    answer = (Client() if "login" in path else as_operator(alice)).get(path)
    page = answer.content.decode()
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "no-store"
    assert "style=" not in page
    assert " onclick" not in page
    assert page.count("<script") == page.count("<script src=")
