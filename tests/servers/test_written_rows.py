"""SQL that stands written gives the same records as Django's own, whatever keeps the console's data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Model, QuerySet
from django.utils import timezone

from apps.accounts.models import Assignment, Operator, Role
from apps.accounts.rows import rows
from apps.engine.target import Profile
from apps.history.models import LastKnown
from apps.history.reads import SHOWN
from apps.servers.models import Credential, Server
from tests.conftest import grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def one() -> Server:
    server = Server.objects.create(
        key="orders-cache",
        kind="redis",
        environment="dev",
        addresses=[{"host": "127.0.0.1", "port": 1}],
        tags=["shop"],
        is_demo=True,
        rpo_s=60,
        probed_at=timezone.now(),
        capabilities={"monitor": {"overview": {"ok": True}}},
    )
    Credential.objects.keep(server, Profile.MONITOR, username="looker", password="sesame")
    LastKnown.objects.create(server=server, tried_at=timezone.now(), figures={"hits": 0.5}, raw={"long": "text"})
    return server


def fields_of(record: Model, *but: str) -> dict[str, Any]:
    return {
        field.attname: getattr(record, field.attname) for field in record._meta.concrete_fields if field.name not in but
    }


@pytest.mark.parametrize("records", [Server.objects.all(), Credential.objects.all()], ids=["servers", "credentials"])
def test_every_field_is_what_django_makes_of_it(one: Server, records: QuerySet[Any]) -> None:
    written = rows(records.model, f"SELECT * FROM {records.model._meta.db_table}")
    assert list(map(fields_of, written)) == list(map(fields_of, records.all()))


def test_what_the_sampler_keeps_for_itself_is_left_out_and_read_when_asked_for(one: Server) -> None:
    (known,) = rows(LastKnown, SHOWN)
    assert known.get_deferred_fields() == {"raw", "spark"}
    assert fields_of(known, "raw", "spark") == fields_of(LastKnown.objects.get(), "raw", "spark")
    assert known.raw == {"long": "text"}


def test_a_server_comes_with_its_credentials_and_asks_no_more(one: Server, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        found = Server.objects.to_ask("orders-cache")
        assert found is not None
        assert [c.username for c in found.credentials.all()] == ["looker"]
        assert found.target().password == "sesame"
    assert found.credentials.filter(username="nobody").count() == 0
    assert Server.objects.to_ask("nobody") is None


def test_all_servers_come_with_their_credentials_by_name(one: Server, django_assert_num_queries: Any) -> None:
    Server.objects.create(key="a-first", kind="redis", environment="dev", addresses=[{"host": "127.0.0.1", "port": 1}])
    with django_assert_num_queries(2):
        found = Server.objects.all_to_ask()
        held = {server.key: [c.username for c in server.credentials.all()] for server in found}
    assert [server.key for server in found] == ["a-first", "orders-cache"]
    assert held == {"a-first": [], "orders-cache": ["looker"]}


def test_what_ended_or_was_taken_back_is_not_held(alice: Operator) -> None:
    now = timezone.now()
    grant(alice, Role.ADMIN).delete()
    over, lasting, revoked = grant(alice, Role.VIEWER), grant(alice, Role.AUDITOR), grant(alice, Role.OPERATOR)
    Assignment.objects.filter(pk=over.pk).update(expires_at=now - timedelta(seconds=1))
    Assignment.objects.filter(pk=lasting.pk).update(expires_at=now + timedelta(hours=1))
    Assignment.objects.filter(pk=revoked.pk).update(revoked_at=now)
    held = Assignment.objects.held_by(alice)
    assert {assignment.role for assignment in held} == {"maintainer", "auditor"}
    assert {a.pk for a in held} == set(alice.assignments.in_force().values_list("pk", flat=True))
