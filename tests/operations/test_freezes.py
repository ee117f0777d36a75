"""The emergency brake: seen on every page that it concerns, by whoever may see what it concerns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator, Role, ScopeKind
from apps.operations.models import AuditEntry, Freeze
from apps.servers.models import Server
from tests.accounts.conftest import make_fresh
from tests.conftest import grant

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]
BANNER = "Changes are frozen"


@pytest.fixture(autouse=True)
def servers(db: None, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    for key, environment in (("shop-dev", "dev"), ("shop-prod", "prod"), ("jobs-prod", "prod")):
        address = {"host": "127.0.0.1", "port": 1}
        Server.objects.create(
            key=key, kind="redis", environment=environment, addresses=[address], connect_timeout_s=0.2
        )


def freeze(scope: str, key: str = "", **fields: object) -> Freeze:
    return Freeze.objects.create(scope=scope, key=key, reason="OPS-9: the sale", by="dana", **fields)


def frozen_at(client: Client, *paths: str) -> list[bool]:
    return [BANNER in client.get(path).content.decode() for path in paths]


PAGES = ("/", "/servers/shop-dev/", "/servers/shop-prod/", "/servers/jobs-prod/")


@pytest.mark.parametrize(
    ("scope", "key", "where"),
    [
        ("all", "", [True, True, True, True]),
        ("environment", "prod", [True, False, True, True]),
        ("server", "jobs-prod", [True, False, False, True]),
        ("environment", "staging", [False, False, False, False]),
    ],
)
def test_a_freeze_is_seen_where_it_concerns_what_is_shown(
    scope: str, key: str, where: list[bool], alice: Operator, as_operator: SignIn
) -> None:
    client = as_operator(alice)
    assert frozen_at(client, *PAGES) == [False] * 4
    freeze(scope, key)
    assert frozen_at(client, *PAGES) == where


def test_it_says_who_why_and_until_when(alice: Operator, as_operator: SignIn) -> None:
    until = timezone.now() + timedelta(hours=3)
    freeze("environment", "prod", until=until)
    page = as_operator(alice).get("/").content.decode()
    assert "(environment prod) by dana" in page and "OPS-9: the sale" in page and f"{until:%H:%M}" in page


def test_nobody_learns_of_a_server_by_its_freeze(charlie: Operator, as_operator: SignIn) -> None:
    grant(charlie, Role.VIEWER, ScopeKind.SERVER, "shop-dev")
    freeze("server", "jobs-prod")
    freeze("environment", "prod")
    page = as_operator(charlie).get("/").content.decode()
    assert BANNER not in page and "jobs-prod" not in page
    freeze("all")
    assert frozen_at(as_operator(charlie), "/") == [True]


def test_a_freeze_that_was_lifted_or_is_over_is_not_seen(dana: Operator, as_operator: SignIn) -> None:
    freeze("all", until=timezone.now() - timedelta(seconds=1))
    lifted = freeze("all")
    client = as_operator(dana)
    make_fresh(client)
    assert frozen_at(client, "/") == [True]
    client.post(f"/freezes/{lifted.pk}/lift/")
    client.get("/freezes/")
    assert frozen_at(client, "/") == [False]
    assert AuditEntry.objects.filter(action="freeze.lift", actor="dana").count() == 1


def test_an_open_page_learns_of_it_by_itself(alice: Operator, as_operator: SignIn) -> None:
    client = as_operator(alice)
    refreshed = "/frame/?server=shop-prod&app=keyspace"
    headers = {"HX-Request": "true", "HX-Target": "side-servers"}
    assert b'id="frozen" data-also hidden' in client.get(refreshed, headers=headers).content
    freeze("environment", "prod")
    assert BANNER in client.get(refreshed, headers=headers).content.decode()


def test_a_hostile_reason_is_escaped(alice: Operator, as_operator: SignIn) -> None:
    Freeze.objects.create(scope="all", reason="<script>alert(1)</script>", by="dana")
    assert b"<script>alert" not in as_operator(alice).get("/").content


def test_many_freezes_do_not_fill_the_page(alice: Operator, as_operator: SignIn) -> None:
    for _ in range(8):
        freeze("all")
    page = as_operator(alice).get("/").content.decode()
    assert page.count(BANNER) == 3 and "And 5 more." in page


def test_the_banner_costs_a_page_one_small_query(alice: Operator, as_operator: SignIn) -> None:
    client = as_operator(alice)
    client.get("/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/")
    assert sum("operations_freeze" in query["sql"] for query in queries) == 1
    with CaptureQueriesContext(connection) as queries:
        client.get("/runs/", headers={"HX-Request": "true", "HX-Target": "runs"})
    assert sum("operations_freeze" in query["sql"] for query in queries) == 0, "a part of a page has no frame"


def test_admins_find_their_pages_in_the_frame_and_others_do_not(
    alice: Operator, erin: Operator, dana: Operator, as_operator: SignIn
) -> None:
    def ways(operator: Operator) -> set[str]:
        page = as_operator(operator).get("/").content.decode()
        return {path for path in ("/freezes/", "/archive/", "/deliveries/") if f'<a href="{path}"' in page}

    assert ways(dana) == {"/freezes/", "/archive/", "/deliveries/"}
    assert ways(alice) == ways(erin) == set()
    for path in ways(dana):
        assert as_operator(dana).get(path).status_code == 200
