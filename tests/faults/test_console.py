"""The console itself fails: no broker, a locked database, a full disk, a clock that jumps, two operators at once."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.test import Client
from kombu.exceptions import OperationalError

from apps.accounts.models import Operator, Role
from apps.engine.text import ref
from apps.operations import execution, reaping, tasks
from apps.operations.archives import originals_of
from apps.operations.models import AuditEntry, Run
from apps.servers.models import Server
from tests.conftest import PASSWORD, person
from tests.faults.conftest import Worker
from tests.faults.test_killed import DELETE, KEYS, furnish, resumed, submitted
from tests.operations.door import Door, actor_for, outcome_of, register_redis
from tests.operations.scenario import values
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
MIDDLE = 130
on_sqlite = pytest.mark.skipif("DATABASE_URL" in os.environ, reason="a lock on the whole database is SQLite's")


@pytest.fixture
def client(alice: Operator) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    return client


@pytest.fixture
def cache(redis_clean: RedisServer, private_folders: None) -> Server:
    return register_redis(redis_clean)


@pytest.fixture
def frank(db: None) -> Operator:
    """Another maintainer of everything."""
    return person("frank", Role.MAINTAINER)


# -- no broker ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_broker() -> None:
    """Nobody listens at the address of the tests' broker."""
    with pytest.raises(OperationalError), current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


def test_without_a_broker_one_signs_in_and_clicks_that_are_done_at_once_are_done(
    no_broker: None, cache: Server, alice: Operator, redis_clean: RedisServer
) -> None:
    redis_clean.command("SET", "a", "1")
    client = Client()
    page = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert page.status_code == 302 and client.get("/").status_code == 200
    page = client.post(f"/servers/{cache.key}/do/keyspace.delete_key/", {"name": ref(b"a"), "db": 0})
    assert press(client, page["Location"])["Location"].startswith("/runs/")
    assert Run.objects.get().state == "done" and redis_clean.command("EXISTS", "a") == 0


def press(client: Client, plan: str) -> Any:
    token = re.search(r'name="token" value="([^"]+)"', client.get(plan).content.decode())
    assert token
    return client.post(f"{plan}run/", {"token": token[1], "reason": "a test of what fails"})


def test_without_a_broker_a_run_waits_and_is_handed_over_when_it_is_back(
    no_broker: None, cache: Server, client: Client, redis_clean: RedisServer
) -> None:
    furnish(redis_clean)
    page = client.post(
        f"/servers/{cache.key}/do/{DELETE}/",
        {"pattern": "cart:tmp:*", "db": 0, "folder": "", "archive": "on", "large": "leave", "pace": "gentle"},
    )
    page = press(client, page["Location"])
    run = Run.objects.get()
    assert run.state == "queued" and run.published_at is None
    shown = client.get(page["Location"])
    assert shown.status_code == 200 and b"the broker did not take it" in shown.content
    tasks.keep_going()
    run.refresh_from_db()
    assert run.state == "queued" and run.published_at is None and len(values(redis_clean)) == 2 * KEYS


# -- a locked database -------------------------------------------------------------------------------------------------


@contextmanager
def locked() -> Iterator[None]:
    """Somebody else writes to the console's database and does not end."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


@pytest.fixture
def impatient() -> Iterator[None]:
    """Half a second instead of twelve: what is tested is what happens then."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 500")
    yield
    connection.close()


@on_sqlite
def test_while_the_database_is_locked_nothing_is_begun_and_the_page_says_so(
    cache: Server, client: Client, redis_clean: RedisServer, impatient: None
) -> None:
    redis_clean.command("SET", "a", "1")
    page = client.post(f"/servers/{cache.key}/do/keyspace.delete_key/", {"name": ref(b"a"), "db": 0})
    token = re.search(r'name="token" value="([^"]+)"', client.get(page["Location"]).content.decode())
    assert token
    with locked():
        assert client.get(f"/servers/{cache.key}/").status_code == 200, "reading goes on"
        answer = client.post(f"{page['Location']}run/", {"token": token[1], "reason": "a test of what fails"})
    assert answer.status_code == 503 and "does not answer" in answer.content.decode() and answer["Retry-After"]
    assert redis_clean.command("EXISTS", "a") == 1 and Run.objects.count() == 0
    assert not AuditEntry.objects.exclude(phase="read").exists()
    answer = client.post(f"{page['Location']}run/", {"token": token[1], "reason": "a test of what fails"})
    assert answer.status_code == 302 and redis_clean.command("EXISTS", "a") == 0


@on_sqlite
def test_a_run_waits_for_the_database_and_goes_on(
    cache: Server, alice: Operator, redis_clean: RedisServer, worker: Worker
) -> None:
    """Locked for longer than the driver waits, and for less than the run's lock lasts."""
    furnish(redis_clean)
    run = submitted(Door(actor=actor_for(alice), server=cache), DELETE, pattern=b"cart:tmp:*")
    with worker.paused(run, at=MIDDLE) as process:
        end = threading.Timer(15, lambda: None)
        with locked():
            process.send_signal(18)
            end.start()
            end.join()
    run.refresh_from_db()
    assert run.state == "done" and run.done_count == KEYS, run.outcome


# -- a full disk -------------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_while_keeping_ends_the_run_before_anything_is_lost(
    cache: Server, alice: Operator, redis_clean: RedisServer, worker: Worker
) -> None:
    for n in range(300):
        redis_clean.command("SET", f"cart:tmp:{n}", os.urandom(40_000))
    before = values(redis_clean)
    at = Door(actor=actor_for(alice), server=cache)
    run = submitted(at, DELETE, pattern=b"cart:tmp:*")
    room = Path(str(connection.settings_dict["NAME"])).stat().st_size if connection.vendor == "sqlite" else 0
    assert worker(run, file_bytes=max(2 * room, 4_000_000)).returncode == 0
    run.refresh_from_db()
    assert run.state == "partial" and "could not be written" in str(outcome_of(run).said), run.outcome
    there = values(redis_clean)
    kept = originals_of(run)
    assert kept is not None and 0 < run.done_count == len(before) - len(there)
    assert set(before) - set(there) == {record.name for record in kept.records()}
    assert at.does(f"{DELETE}.undo", run=run.pk).state == "done" and values(redis_clean) == before


# -- a clock that jumps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-48, -2, 2])
def test_a_clock_that_jumps_loses_nothing(
    hours: int, cache: Server, alice: Operator, redis_clean: RedisServer, worker: Worker
) -> None:
    """Heartbeats from the past make a run look dead and it is resumed; from the future they make it look alive for long."""
    furnish(redis_clean)
    run = submitted(Door(actor=actor_for(alice), server=cache), DELETE, pattern=b"cart:tmp:*")
    assert worker(run, at=MIDDLE, how="clock", clock_s=hours * 3600).returncode == 0
    reaping.reap()
    run = resumed(worker, run)
    assert run.state == "done", run.outcome
    left = values(redis_clean)
    assert not [name for name in left if name.startswith(b"cart:tmp:")] and len(left) == KEYS
    assert AuditEntry.objects.filter(run_number=run.pk, phase="outcome").count() == 1


def test_a_clock_that_jumps_past_the_deadline_ends_the_run_with_what_was_done(
    cache: Server, alice: Operator, redis_clean: RedisServer, worker: Worker
) -> None:
    furnish(redis_clean)
    run = submitted(Door(actor=actor_for(alice), server=cache), DELETE, pattern=b"cart:tmp:*")
    assert worker(run, at=MIDDLE, how="clock", clock_s=48 * 3600).returncode == 0
    run.refresh_from_db()
    kept = originals_of(run)
    assert run.state == "partial" and kept is not None
    gone = {b"cart:tmp:%d" % n for n in range(KEYS)} - set(values(redis_clean))
    assert len(gone) == run.done_count and gone <= {record.name for record in kept.records()}


# -- two operators at once ---------------------------------------------------------------------------------------------


def test_two_operators_who_delete_the_same_keys_share_them(
    cache: Server, alice: Operator, frank: Operator, redis_clean: RedisServer, worker: Worker
) -> None:
    """One of the two waits for the lock of the server; what the first removed is gone when the second comes to it."""
    furnish(redis_clean)
    first = submitted(Door(actor=actor_for(alice), server=cache), DELETE, pattern=b"cart:tmp:*")
    second = submitted(Door(actor=actor_for(frank), server=cache), DELETE, pattern=b"cart:tmp:1*")
    with worker.paused(first, at=MIDDLE):
        execution.execute(second.pk)
        second.refresh_from_db()
        assert second.state == "queued" and f"run {first.pk}" in second.note
    execution.execute(second.pk)
    for run in (first, second):
        run.refresh_from_db()
    assert first.state == "done" and first.done_count == KEYS
    assert second.state in ("done", "failed") and second.done_count == 0, second.outcome
    assert len(values(redis_clean)) == KEYS


def test_two_operators_who_edit_the_same_value_are_told_apart(
    cache: Server, alice: Operator, frank: Operator, redis_clean: RedisServer
) -> None:
    redis_clean.command("SET", "a", "before")
    ours, theirs = (Door(actor=actor_for(one), server=cache) for one in (alice, frank))
    first = ours.plans("keyspace.edit_string", name=b"a", value="alice was here")
    second = theirs.plans("keyspace.edit_string", name=b"a", value="frank was here")
    assert ours.carries_out(ours.submits(first)).state == "done"
    run = theirs.carries_out(theirs.submits(second))
    assert run.state == "failed" and redis_clean.command("GET", "a") == b"alice was here", run.outcome
