"""Runs on the timeline: from when they began to when they ended, with what came of them."""

from __future__ import annotations

import pytest

from apps.accounts.models import Operator
from apps.history.models import Event
from apps.operations import execution, telling
from tests.operations.door import OpenDoor
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_is_a_mark_from_its_begin_to_its_end(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "cart:1", "x")
    run = door(alice).does("keyspace.delete_key", name=b"cart:1")
    event = Event.objects.get()
    assert (event.kind, event.server, event.url) == ("run", run.server, f"/runs/{run.pk}/")
    assert (event.words, event.signal) == ("Delete a key, by alice: done", "ok")
    assert (event.at, event.ended_at) == (run.started_at, run.finished_at)


def test_a_run_that_failed_says_so(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "cart:1", "x")
    at = door(alice)
    plan = at.plans("keyspace.delete_pattern", pattern=b"cart:*")
    redis_clean.command("MSET", *[word for n in range(100) for word in (f"cart:new:{n}", "x")])
    run = at.carries_out(at.submits(plan))
    event = Event.objects.get()
    assert run.state in ("failed", "partial") and event.signal in ("crit", "warn")
    assert event.words.endswith(f", by alice: {run.state}")


def test_a_run_that_is_resumed_began_once(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "cart:1", "x")
    run = door(alice).does("keyspace.delete_key", name=b"cart:1")
    Event.objects.all().delete()
    for _ in range(2):
        telling.run_began(run, title="Delete a key")
    event = Event.objects.get()
    assert (event.ended_at, event.signal, event.words) == (None, "run", "Delete a key, by alice")


def test_a_run_that_never_began_is_no_mark(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    redis_clean.command("SET", "cart:1", "x")
    at = door(alice)
    run = at.submits(at.plans("keyspace.delete_pattern", pattern=b"cart:*"))
    execution.ask_to_stop(run, by=at.actor)
    run.refresh_from_db()
    assert run.state == "cancelled" and not Event.objects.exists()
