"""People, servers and browsers that every test may ask for. Alice maintains, Bob looks, Charlie is a stranger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models.signals import post_migrate
from django.test import Client

from apps.accounts.models import Assignment, Operator, Role, ScopeKind
from apps.history import store

pytest_plugins = ["tests.real_servers", "tests.network", "tests.browser", "tests.operations.door"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tests empty their tables, the audit's too: without the triggers that keep production from it."""
    from django.db import connection

    from apps.operations import append_only

    with django_db_blocker.unblock():
        append_only.remove(connection)
    # Django fills tables that the console does not use anew whenever a test has emptied its own: half of that test's time.
    post_migrate.receivers = []


PASSWORD = "a long enough passphrase"


def grant(operator: Operator, role: str, kind: str = ScopeKind.ALL, key: str = "") -> Assignment:
    return Assignment.objects.create(
        operator=operator, role=role, scope_kind=kind, scope_key=key, granted_by="the tests"
    )


def person(name: str, role: str | None = None) -> Operator:
    operator = Operator.objects.create_user(name, PASSWORD)
    if role:
        grant(operator, role)
    return operator


@pytest.fixture
def alice(db: None) -> Operator:
    """A maintainer of everything."""
    return person("alice", Role.MAINTAINER)


@pytest.fixture
def bob(db: None) -> Operator:
    """A viewer of everything."""
    return person("bob", Role.VIEWER)


@pytest.fixture
def charlie(db: None) -> Operator:
    """A stranger: may sign in, was granted nothing."""
    return person("charlie")


@pytest.fixture
def dana(db: None) -> Operator:
    """An admin of the console."""
    return person("dana", Role.ADMIN)


@pytest.fixture
def erin(db: None) -> Operator:
    """An auditor."""
    return person("erin", Role.AUDITOR)


@pytest.fixture
def as_operator() -> Callable[[Operator], Client]:
    """A browser-like client with a session of this operator."""

    def signed_in(operator: Operator) -> Client:
        client = Client()
        client.force_login(operator)
        return client

    return signed_in


@pytest.fixture(autouse=True)
def nothing_remembered_of_history() -> Iterator[None]:
    """Ids and partitions that a process remembers are rolled back with the test that made them."""
    yield
    store.forget_remembered()
