"""A click from its plan to its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone

from apps.accounts.models import Operator
from apps.engine.embedded import binaries
from apps.engine.embedded.redis import EmbeddedRedis
from apps.operations import execution, locks, tasks
from apps.operations.models import AuditEntry, Run, ServerLock
from apps.servers.models import Server
from tests import celery_pools
from tests.operations.door import Door, OpenDoor, outcome_of
from tests.operations.scenario import values
from tests.real_servers import CACHE, RedisServer, connected

pytestmark = pytest.mark.django_db(transaction=True)
PATTERN: dict[str, Any] = {"pattern": b"cart:*"}
HEAVY = "keyspace.delete_pattern"


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


# -- runs that wait, end early, or never begin -------------------------------------------------------------------------


def queued(at: Door, redis: RedisServer, count: int = 5) -> Run:
    """A heavy run that no worker has taken."""
    for number in range(count):
        redis.command("SET", f"cart:{number}", "x")
    redis.command("SET", "left:alone", "x")
    run = at.submits(at.plans(HEAVY, **PATTERN))
    run.refresh_from_db()
    assert run.state == "queued"
    return run


def test_one_that_needs_the_server_alone_waits_for_the_other_and_then_goes_on(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    run = queued(at, redis_clean)
    other = Run.objects.get(pk=run.pk)
    other.token = "t" * 32
    assert locks.take(other)
    at.carries_out(run)
    assert run.state == "queued" and "waits for run" in run.note and run.tries_count == 0
    assert len(values(redis_clean)) == 6
    locks.give_back(other.token)
    at.carries_out(run)
    assert run.state == "done" and list(values(redis_clean)) == [b"left:alone"]
    assert not ServerLock.objects.filter(expires_at__gt=timezone.now()).exists(), "it is given back"


def test_one_whose_time_is_over_stops_and_says_what_it_did(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    run = queued(at, redis_clean)
    Run.objects.filter(pk=run.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
    at.carries_out(run)
    assert run.state in ("failed", "partial") and "longer than it may" in run.outcome
    assert len(values(redis_clean)) == 6 - run.done_count
    assert AuditEntry.objects.filter(run_number=run.pk, phase="outcome", result=run.state).count() == 1


def test_a_second_copy_of_the_message_does_nothing(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    at = door(alice)
    run = at.carries_out(queued(at, redis_clean))
    redis_clean.command("SET", "cart:again", "x")
    for _ in range(3):
        execution.execute(run.pk)
    assert redis_clean.command("EXISTS", "cart:again") == 1
    assert AuditEntry.objects.filter(run_number=run.pk, phase="outcome").count() == 1


def test_a_message_of_a_run_that_does_not_exist_does_nothing(redis_clean: RedisServer) -> None:
    execution.execute(4_711)
    assert not Run.objects.exists()


def test_a_run_of_an_operator_who_was_locked_meanwhile_is_not_begun(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    run = queued(at, redis_clean)
    alice.is_active = False
    alice.save()
    at.carries_out(run)
    assert run.state == "failed" and "Not begun" in run.outcome
    assert len(values(redis_clean)) == 6
    assert AuditEntry.objects.filter(run_number=run.pk, phase="denied").count() == 1


def test_a_run_of_a_server_that_was_removed_meanwhile_is_not_begun(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    run = queued(at, redis_clean)
    Server.objects.all().delete()
    at.carries_out(run)
    assert run.state == "failed" and "not registered any more" in run.outcome
    assert len(values(redis_clean)) == 6


def test_ten_minutes_of_a_single_person_are_waited_whatever_is_sent(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    run = queued(at, redis_clean)
    Run.objects.filter(pk=run.pk).update(not_before=timezone.now() + timedelta(minutes=10), single_person=True)
    at.carries_out(run)
    assert run.state == "queued" and len(values(redis_clean)) == 6
    execution.ask_to_stop(run, by=at.actor)
    run.refresh_from_db()
    Run.objects.filter(pk=run.pk).update(not_before=timezone.now())
    at.carries_out(run)
    assert run.state == "cancelled" and len(values(redis_clean)) == 6


def test_a_run_whose_commands_fail_says_so_and_counts_what_was_done(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    at = door(alice)
    run = queued(at, redis_clean)
    redis_clean.command("ACL", "SETUSER", "default", "-unlink")
    try:
        at.carries_out(run)
    finally:
        redis_clean.command("ACL", "SETUSER", "default", "+@all")
    assert run.state == "failed" and run.done_count == 0 and "unlink" in run.outcome
    assert len(values(redis_clean)) == 6
    assert outcome_of(run).said


# -- the broker --------------------------------------------------------------------------------------------------------


def _point_at(url: str) -> None:
    """Celery keeps the connections that it made: it has to forget them."""
    app: Any = current_app
    app.conf.broker_url = app.conf.broker_read_url = app.conf.broker_write_url = url
    celery_pools.forget()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RedisServer]:
    """A broker that is up, and that Celery does not know yet."""
    with EmbeddedRedis(binaries.find_redis(CACHE), tmp_path / "broker") as embedded:
        server = connected(embedded)
        yield server
        server.client.close()
        _point_at(f"redis+socket://{tmp_path}/nobody-listens.sock")


def test_what_the_broker_did_not_take_is_handed_over_when_it_is_there(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, broker: RedisServer
) -> None:
    run = queued(door(alice), redis_clean)
    assert run.published_at is None
    _point_at(f"redis+socket://{broker.socket}")
    tasks.keep_going()
    run.refresh_from_db()
    assert run.published_at is not None and run.state == "queued"
    (message,) = broker.command("LRANGE", "runs", 0, -1)
    assert b"run_action" in message and b"cart:" not in message and alice.username.encode() not in message
    tasks.keep_going()
    assert broker.command("LLEN", "runs") == 1, "handed over once, as long as that is not long ago"


def test_a_broker_that_lost_everything_is_told_again(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, broker: RedisServer
) -> None:
    run = queued(door(alice), redis_clean)
    _point_at(f"redis+socket://{broker.socket}")
    tasks.keep_going()
    broker.command("FLUSHALL")
    Run.objects.filter(pk=run.pk).update(published_at=timezone.now() - timedelta(hours=1))
    tasks.keep_going()
    assert broker.command("LLEN", "runs") == 1
