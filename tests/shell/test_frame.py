"""The frame of every page: who sees which servers, sections and pages, and that it is cheap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import Operator, Role, ScopeKind
from apps.history.models import LastKnown
from apps.servers.models import Server
from apps.shell.pages import highest_role, sections
from tests.conftest import grant

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]


def server(key: str, environment: str = "dev", kind: str = "redis", **fields: Any) -> Server:
    return Server.objects.create(
        key=key, kind=kind, environment=environment, addresses=[{"host": "127.0.0.1", "port": 1}], **fields
    )


def seen(one: Server, **figures: Any) -> None:
    now = timezone.now()
    LastKnown.objects.create(server=one, tried_at=now, figures_at=now, figures=figures)


def test_a_stranger_sees_no_server_and_no_page_of_operators(charlie: Operator, as_operator: SignIn) -> None:
    server("orders-cache")
    page = as_operator(charlie).get("/").content.decode()
    assert "orders-cache" not in page
    assert "Operators" not in page
    assert "no role yet" in page


def test_an_admin_sees_the_page_of_operators(dana: Operator, as_operator: SignIn) -> None:
    assert "Operators" in as_operator(dana).get("/").content.decode()


def test_scope_by_server_limits_the_side_list_and_going_to(charlie: Operator, as_operator: SignIn) -> None:
    server("orders-cache")
    server("jobs-broker")
    grant(charlie, Role.VIEWER, ScopeKind.SERVER, "jobs-broker")
    client = as_operator(charlie)
    assert "orders-cache" not in client.get("/").content.decode()
    found = client.get("/go/?q=orders", headers={"Accept": "application/json"}).json()["places"]
    assert found == []
    frame = client.get("/frame/?server=orders-cache&app=queues").content.decode()
    assert "jobs-broker" in frame
    assert "orders-cache" not in frame.replace("server=orders-cache", "")


def test_going_to_finds_servers_sections_and_pages(alice: Operator, as_operator: SignIn) -> None:
    server("orders-cache", "prod")
    server("orders-db", "prod", kind="postgres")
    client = as_operator(alice)

    def titles(query: str) -> list[tuple[str, str]]:
        places = client.get("/go/", {"q": query}, headers={"Accept": "application/json"}).json()["places"]
        return [(place["title"], place["hint"]) for place in places]

    assert titles("orders slow") == [("orders-cache", "Slow log"), ("orders-db", "Slow queries")]
    assert ("Queues", "page") in titles("que")
    assert titles("nothing-like-it") == []
    page = client.get("/go/", {"q": "<script>alert(1)</script>\x00"}).content.decode()
    assert "<script>alert" not in page
    assert "Nothing by that name" in page


def test_a_section_whose_right_is_missing_is_grey_and_names_the_grant(alice: Operator, as_operator: SignIn) -> None:
    missing = "ACL SETUSER signalbox +acl|list"
    one = server(
        "orders-cache", capabilities={"monitor": {"acl.view": {"ok": False, "missing": missing, "reason": ""}}}
    )
    by_title = {section.title: section for section in sections(one, alice)}
    assert by_title["ACL"].lacks == missing
    assert by_title["Clients"].lacks == ""
    frame = as_operator(alice).get("/frame/?server=orders-cache&app=servers").content.decode()
    assert f'title="Missing: {missing}"' in frame


def test_a_section_that_the_role_forbids_is_named_without_a_link(bob: Operator, as_operator: SignIn) -> None:
    one = server("orders-cache", "prod")
    acl = next(section for section in sections(one, bob) if section.title == "ACL")
    assert acl.refused
    frame = as_operator(bob).get("/frame/?server=orders-cache&app=servers").content.decode()
    assert acl.url not in frame
    assert "Your roles do not include this in prod." in frame


def test_the_environment_is_beyond_doubt_on_a_page_of_a_server(bob: Operator, as_operator: SignIn) -> None:
    seen(server("orders-cache", "staging"), used_memory_bytes=2**30, maxmemory_bytes=4 * 2**30, clients_count=3)
    page = as_operator(bob).get("/servers/orders-cache/").content.decode()
    assert '<body data-env="staging">' in page
    assert ">STAGING</div>" in page
    assert "Memory <b>1<span" in page


def test_the_demo_says_that_nothing_is_yours_only_where_that_is_true(alice: Operator, as_operator: SignIn) -> None:
    server("demo-redis", is_demo=True)
    client = as_operator(alice)
    assert "nothing here is yours" in client.get("/").content.decode()
    server("orders-cache")
    assert "nothing here is yours" not in client.get("/").content.decode()
    assert "nothing here is yours" not in client.get("/servers/orders-cache/").content.decode()


def test_the_highest_role_in_force_is_shown(bob: Operator) -> None:
    assert highest_role(bob) == "viewer"
    grant(bob, Role.MAINTAINER, ScopeKind.ENVIRONMENT, "dev")
    assert highest_role(Operator.objects.get(pk=bob.pk)) == "maintainer"


def test_signing_out_is_a_post_with_a_token(bob: Operator, as_operator: SignIn) -> None:
    page = as_operator(bob).get("/").content.decode()
    form = page[page.index('<form method="post"') :][:400]
    assert "csrfmiddlewaretoken" in form
    assert "Sign out" in page


def test_the_frame_costs_the_same_for_one_server_as_for_thirty(bob: Operator, as_operator: SignIn) -> None:
    client = as_operator(bob)

    def query_count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/frame/?server=cache-00&app=queues").status_code == 200
        return len(queries)

    seen(server("cache-00"), used_memory_bytes=1)
    query_count()
    one = query_count()
    for number in range(1, 30):
        seen(server(f"cache-{number:02}"), used_memory_bytes=1)
    assert query_count() == one
    assert one <= 15


def test_a_hostile_version_and_error_are_escaped(bob: Operator, as_operator: SignIn) -> None:
    one = server("orders-cache")
    seen(one, version="<img src=x onerror=alert(1)>", product="Redis")
    LastKnown.objects.update(failing_since=timezone.now(), error_kind="command", error_text="<b>bad\u202e</b>\x07")
    page = as_operator(bob).get("/").content.decode()
    assert "<img src=x" not in page
    assert "<b>bad" not in page
    assert "\\u202e" in page
