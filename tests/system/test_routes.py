"""Default deny: no route without a permission, none of the pages that must never be mounted."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.permissions import TABLE
from tests.system.conftest import World
from tests.system.routes import routes

PUBLIC = {"monitoring:livez", "monitoring:readyz", "monitoring:metrics", "monitoring:mark"}


def test_every_route_declares_its_permission_or_is_on_the_public_list() -> None:
    found = [r for r in routes() if not r.route.startswith("accounts/")]
    assert len(found) > 15
    assert [r.name for r in found if not r.public and r.permission not in TABLE] == []
    assert {r.name for r in found if r.public} == PUBLIC


def test_neither_the_admin_nor_rqs_pages_nor_sign_up_are_mounted() -> None:
    found = " ".join(f"{r.route} {r.view.__module__}" for r in routes())
    for never in ("admin", "django_rq", "signup", "password/reset"):
        assert never not in found, never


def test_every_route_can_be_called_by_these_tests() -> None:
    assert all(r.path("redis-dev") for r in routes() if r.takes_server)


@pytest.mark.django_db
def test_nobody_anonymous_gets_past_the_sign_in(world: World) -> None:
    client = Client()
    for route in routes():
        if route.public or route.route.startswith("accounts/") or not route.permission:
            continue
        try:
            path = route.path("redis-dev")
        except KeyError:
            continue
        response = client.get(path)
        assert response.status_code == 302 and "/accounts/login/" in response["Location"], path
        fragment = client.get(path, headers={"HX-Request": "true"})
        assert fragment.status_code == 401 and "/accounts/login/" in fragment["HX-Redirect"], path
