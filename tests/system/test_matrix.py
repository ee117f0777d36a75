"""Every route x role x environment, against the one table. What the table says is what the console does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import Operator, Role, ScopeKind
from apps.accounts.permissions import TABLE, Need
from tests.conftest import grant, person
from tests.system.conftest import ENVIRONMENTS, World
from tests.system.routes import BY_ACTION, POST_ONLY, routes, server_pages

# What a GET answers for each need. A reason is asked for on a page of its own, a fresh sign-in by a redirect to it.
ANSWERS = {Need.YES: {200}, Need.REASON: {403}, Need.SUDO: {302, 303, 403}, Need.NO: {403}}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_what_the_table_says(
    role: Role, environment: str, world: World, settings: Settings, as_operator: Callable[[Operator], Client]
) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    operator = person(f"a-{role}")
    grant(operator, role, ScopeKind.ENVIRONMENT, environment)
    client = as_operator(operator)
    called = 0
    for kind in ("redis", "postgres"):
        for route in [r for r in routes() if r.takes_server and r.suits(kind) and r.name not in POST_ONLY | BY_ACTION]:
            need = TABLE[route.permission].need(role, environment)
            status = client.get(route.path(f"{kind}-{environment}")).status_code
            assert status in ANSWERS[need], (route.name, role, environment, need, status)
            called += 1
    assert called > 15


@pytest.mark.parametrize("role", list(Role))
def test_a_server_out_of_scope_does_not_exist(
    role: Role, world: World, as_operator: Callable[[Operator], Client]
) -> None:
    operator = person(f"a-{role}")
    grant(operator, role, ScopeKind.ENVIRONMENT, "dev")
    client = as_operator(operator)
    for route in server_pages("redis"):
        assert client.get(route.path("redis-prod")).status_code == 404, route.name
    assert b"redis-prod" not in client.get("/").content


@pytest.mark.parametrize(("kind", "key"), [(ScopeKind.SERVER, "redis-staging"), (ScopeKind.TAG, "shop")])
def test_a_narrow_scope_opens_that_and_nothing_else(
    kind: str, key: str, world: World, as_operator: Callable[[Operator], Client]
) -> None:
    server = world.server("redis", "staging")
    server.tags = ["shop"]
    server.save()
    operator = person("narrow")
    grant(operator, Role.MAINTAINER, kind, key)
    client = as_operator(operator)
    assert client.get("/servers/redis-staging/keyspace/").status_code == 200
    assert client.get("/servers/redis-dev/keyspace/").status_code == 404
    assert client.get("/servers/postgres-staging/activity/").status_code == 404


def test_a_page_of_one_kind_does_not_exist_for_the_other(
    world: World, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    client = as_operator(alice)
    for route in [r for r in routes() if r.takes_server and r.kind is not None and r.name not in POST_ONLY]:
        other = "postgres" if route.kind == "redis" else "redis"
        assert client.get(route.path(f"{other}-dev")).status_code == 404, route.name


def test_a_stranger_sees_the_frame_and_no_server(
    world: World, charlie: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    client = as_operator(charlie)
    for path in ("/", "/queues/", "/backups/", "/timeline/"):
        response = client.get(path)
        assert response.status_code == 200 and b"redis-dev" not in response.content, path
    assert client.get("/servers/redis-dev/").status_code == 404
    assert client.get("/operators/").status_code in (403, 404)


def test_a_grant_that_ended_opens_nothing(world: World, as_operator: Callable[[Operator], Client]) -> None:
    from datetime import timedelta

    from django.utils import timezone

    operator = person("was-here")
    ended = grant(operator, Role.MAINTAINER)
    client = as_operator(operator)
    assert client.get("/servers/redis-dev/").status_code == 200
    ended.expires_at = timezone.now() - timedelta(seconds=1)
    ended.save()
    assert client.get("/servers/redis-dev/").status_code == 404


def test_production_asks_for_a_second_factor_and_says_where_to_set_it_up(
    world: World, alice: Operator, settings: Settings, as_operator: Callable[[Operator], Client]
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = as_operator(alice)
    refused = client.get("/servers/redis-prod/keyspace/")
    assert refused.status_code == 403 and b"second factor" in refused.content and b"/accounts/2fa/" in refused.content
    assert client.get("/servers/redis-dev/keyspace/").status_code == 200
