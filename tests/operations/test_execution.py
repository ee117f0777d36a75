"""A click from its plan to its end."""

from __future__ import annotations

import pytest

from apps.accounts.models import Operator
from apps.operations.models import AuditEntry
from tests.operations.door import OpenDoor
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_key_is_planned_deleted_and_put_back(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "cart:1", "three apples", "PX", 600_000)
    redis_clean.command("SET", "cart:2", "left alone")
    at = door(alice)
    plan = at.plans("keyspace.delete_key", name=b"cart:1")
    assert plan.state == "ready" and redis_clean.command("EXISTS", "cart:1") == 1
    run = at.submits(plan)
    run.refresh_from_db()
    assert run.state == "done", run.outcome
    assert redis_clean.command("KEYS", "*") == [b"cart:2"]
    undo = at.does("keyspace.delete_key.undo", run=run.pk)
    undo.refresh_from_db()
    assert undo.state == "done", undo.outcome
    assert redis_clean.command("GET", "cart:1") == b"three apples"
    assert 590_000 < redis_clean.command("PTTL", "cart:1") <= 600_000
    phases = list(AuditEntry.objects.order_by("seq").values_list("phase", "result", "run_number"))
    assert phases == [
        ("intent", "queued", run.pk),
        ("outcome", "done", run.pk),
        ("intent", "queued", undo.pk),
        ("outcome", "done", undo.pk),
    ]
