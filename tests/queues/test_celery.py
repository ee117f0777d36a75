"""Celery, published by Celery and worked on by a Celery worker, read by kombu's raw keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery

from apps.engine.contracts.adapter import Known
from apps.engine.errors import Gone
from apps.queues.fleet import read_job, read_page, read_server
from apps.queues.verdicts import Verdict
from apps.queues.watermarks import WATERMARKS
from tests.queues.celery_app import application
from tests.queues.conftest import queue_of, read, redis_target
from tests.real_servers import RedisServer


def url_of(server: RedisServer) -> str:
    return f"redis+socket://{server.socket}"


@pytest.fixture
def celery(redis_clean: RedisServer) -> Iterator[Celery]:
    made = application(url_of(redis_clean))
    yield made
    made.close()


def send(app: Celery, name: str = "ann", queue: str = "thumbnails", **options: Any) -> str:
    return str(app.send_task("work.greet", args=[name], queue=queue, **options).id)


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if found := true():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come about in time")


@pytest.fixture
def worker(redis_clean: RedisServer) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tests.queues.celery_app",
        "worker",
        "-P",
        "solo",
        "-Q",
        "thumbnails",
        "-l",
        "ERROR",
    ]
    broker = url_of(redis_clean)
    environment = {**os.environ, "TESTS_BROKER": broker, "BROKER_URL": broker}  # the command prefers the latter
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_a_queue_is_found_by_its_binding_and_all_priorities_are_counted(
    redis_clean: RedisServer, celery: Celery
) -> None:
    for priority in (0, 3, 6, 9, 9):
        send(celery, priority=priority)
    found = read(redis_clean, b"thumbnails")
    assert redis_clean.command("LLEN", "thumbnails") == 1
    assert found.snapshot.ready.value == 5
    assert "4 lists by priority" in " ".join(found.snapshot.notes)


def test_a_key_prefix_is_no_obstacle(redis_clean: RedisServer) -> None:
    app = application(url_of(redis_clean), broker_transport_options={"global_keyprefix": "shop:"})
    send(app)
    found = read(redis_clean, b"thumbnails")
    assert (found.snapshot.queue.prefix, found.snapshot.ready.value) == (b"shop:", 1)
    assert len(read_page(redis_target(redis_clean), found.snapshot.queue, state="ready", start="").rows) == 1
    app.close()


def test_a_list_named_celery_alone_is_no_proof(redis_clean: RedisServer) -> None:
    redis_clean.command("LPUSH", "celery", "x")
    assert read_server(redis_target(redis_clean)).queues == ()


def test_jobs_come_in_the_order_in_which_workers_take_them(redis_clean: RedisServer, celery: Celery) -> None:
    late = [send(celery, priority=9) for _ in range(30)]
    soon = [send(celery, priority=0) for _ in range(40)]
    queue, target = queue_of(redis_clean, b"thumbnails"), redis_target(redis_clean)
    first = read_page(target, queue, state="ready", start="")
    second = read_page(target, queue, state="ready", start=first.next or "")
    assert [row.id.decode() for row in (*first.rows, *second.rows)] == soon + late
    assert second.next is None


def test_an_age_is_unknown_at_first_and_then_at_least(redis_clean: RedisServer, celery: Celery) -> None:
    send(celery)
    assert read(redis_clean, b"thumbnails").oldest.known is Known.UNKNOWN
    time.sleep(1.2)
    send(celery)
    age = read(redis_clean, b"thumbnails").oldest
    assert (age.known, age.high_s) == (Known.AT_LEAST, None)
    assert 1.1 < (age.low_s or 0) < 10
    redis_clean.command("RPOP", "thumbnails")
    assert read(redis_clean, b"thumbnails").oldest.known is Known.UNKNOWN, (
        "another message is next: the bound begins anew"
    )


@pytest.mark.parametrize("stamp", ["number", "text", "sentry"])
def test_a_stamped_message_has_an_exact_age(redis_clean: RedisServer, celery: Celery, stamp: str) -> None:
    at = datetime.now(UTC) - timedelta(minutes=3)
    headers = {
        "number": {"enqueued_at": at.timestamp()},
        "text": {"enqueued_at": at.isoformat()},
        "sentry": {"sentry-task-enqueued-time": str(at.timestamp())},
    }[stamp]
    send(celery, headers=headers)
    age = read(redis_clean, b"thumbnails").oldest
    assert age.known is Known.EXACT
    assert age.low_s == pytest.approx(180, abs=10)


def test_without_worker_or_listener_a_backlog_is_dead(redis_clean: RedisServer, celery: Celery) -> None:
    send(celery)
    celery.close()
    assert read(redis_clean, b"thumbnails").verdict is Verdict.DEAD


def test_nothing_that_left_for_two_minutes_is_stalled(
    redis_clean: RedisServer, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(celery)
    with redis_clean.client.pubsub() as listener:  # type: ignore[no-untyped-call]
        listener.subscribe("somebody/listens")
        listener.get_message(timeout=1)
        assert read(redis_clean, b"thumbnails").verdict is Verdict.WAITING
        now = time.monotonic()
        monkeypatch.setattr("apps.queues.watermarks.time.monotonic", lambda: now + 130)
        stalled = read(redis_clean, b"thumbnails")
    assert stalled.verdict is Verdict.STALLED
    assert "2 min" in stalled.reason


@pytest.mark.slow
def test_what_a_real_worker_holds_is_split_into_running_and_due_later(
    redis_clean: RedisServer, celery: Celery, worker: subprocess.Popen[bytes]
) -> None:
    celery.send_task("work.sleep", args=[1], queue="thumbnails")
    send(celery, countdown=3600)
    target = redis_target(redis_clean)

    def both() -> Any:
        found = next((q for q in read_server(target).queues if q.snapshot.queue.name == b"thumbnails"), None)
        return found if found and found.snapshot.scheduled.value == 1 else None

    found = until(both)
    assert found.snapshot.workers.known is Known.UNKNOWN, "a connection does not tell which queue it serves"
    page = read_page(target, found.snapshot.queue, state="scheduled", start="")
    assert page.rows[0].call == b"work.greet"
    assert page.rows[0].at is not None
    assert 3500 < (page.rows[0].at - datetime.now(UTC)).total_seconds() < 3601
    job = read_job(target, found.snapshot.queue, state="scheduled", job=page.rows[0].id, start="")
    assert json.loads(job.payload.body)[0] == ["ann"]
    names = {q.snapshot.queue.name for q in read_server(target).queues}
    assert names == {b"thumbnails"}, "the worker's own control and event queues are not backlogs"


def held(server: RedisServer, celery: Celery, tag: str, taken_at: float, **options: Any) -> None:
    """A message as kombu leaves it when a worker took it and was killed."""
    send(celery, **options)
    raw = json.loads(server.command("LPOP", "thumbnails"))
    server.command("HSET", "unacked", tag, json.dumps([raw, "thumbnails", "thumbnails"]))
    server.command("ZADD", "unacked_index", taken_at, tag)


def test_what_was_taken_over_an_hour_ago_is_abandoned(redis_clean: RedisServer, celery: Celery) -> None:
    held(redis_clean, celery, "t1", time.time() - 7200)
    held(redis_clean, celery, "t2", time.time() - 5)
    held(redis_clean, celery, "t3", time.time() - 7200, countdown=600)
    found = read(redis_clean, b"thumbnails")
    counts = (found.snapshot.running.value, found.snapshot.scheduled.value, found.snapshot.abandoned.value)
    assert counts == (1, 1, 1)
    assert found.verdict is Verdict.ABANDONED


def test_garbage_and_giants_are_shown_as_what_they_are(redis_clean: RedisServer, celery: Celery) -> None:
    send(celery)
    garbage = [
        b"not json",
        b"[1, 2]",
        b"\xff\x00\x80",
        b'{"headers": 5, "properties": [], "body": 7}',
        b"[" * 100_000,
        b'{"headers": {"task": {"a": 1}, "id": 9, "eta": 5}}',
    ]
    for raw in garbage:
        redis_clean.command("LPUSH", "thumbnails", raw)
        redis_clean.command("HSET", "unacked", raw[:20], raw)
        redis_clean.command("ZADD", "unacked_index", time.time(), raw[:20])
    queue, target = queue_of(redis_clean, b"thumbnails"), redis_target(redis_clean)
    rows = read_page(target, queue, state="ready", start="").rows
    assert len(rows) == 7
    assert sum("no Celery message" in row.note for row in rows) == 5
    for row in rows:
        assert read_job(target, queue, state="ready", job=row.id, start="").payload.size_bytes is not None
    assert read_page(target, queue, state="running", start="").said.startswith("6 of 6")


def test_a_queue_whose_key_is_something_else_costs_itself_only(redis_clean: RedisServer, celery: Celery) -> None:
    send(celery)
    send(celery, queue="broken")
    redis_clean.command("DEL", "broken")
    redis_clean.command("SET", "broken", "a string")
    broken = read(redis_clean, b"broken")
    assert (broken.verdict, broken.snapshot.ready.value) == (Verdict.UNKNOWN, None)
    assert read(redis_clean, b"thumbnails").snapshot.ready.value == 1


def test_messages_of_five_megabytes_are_fetched_one_at_a_time(redis_clean: RedisServer, celery: Celery) -> None:
    for _ in range(4):
        send(celery, "x" * 5_000_000)
    target = redis_target(redis_clean)
    found = read(redis_clean, b"thumbnails")
    assert found.oldest.known is Known.UNKNOWN, "no message of this size is fetched for its age"
    page = read_page(target, found.snapshot.queue, state="ready", start="")
    assert (len(page.rows), page.next) == (1, "1")
    assert "large" in page.said


def test_a_pickled_body_stays_closed(redis_clean: RedisServer) -> None:
    app = application(url_of(redis_clean), task_serializer="pickle", accept_content=["pickle"])
    identity = send(app)
    job = read_job(
        redis_target(redis_clean), queue_of(redis_clean, b"thumbnails"), state="ready", job=identity.encode(), start=""
    )
    assert job.payload.steps == ("base64", "pickle, not read")
    assert job.payload.body == b""
    app.close()


def test_a_job_that_moved_on_is_gone(redis_clean: RedisServer, celery: Celery) -> None:
    identity = send(celery)
    queue = queue_of(redis_clean, b"thumbnails")
    redis_clean.command("DEL", "thumbnails")
    with pytest.raises(Gone):
        read_job(redis_target(redis_clean), queue, state="ready", job=identity.encode(), start="")


def test_watermarks_forget_a_queue_that_was_empty_between() -> None:
    WATERMARKS.unmoved_s("q", b"a")
    WATERMARKS.unmoved_s("q", b"")
    assert WATERMARKS.unmoved_s("q", b"a") < 0.5
