"""RQ, made by RQ itself on a real Redis, read by raw keys."""

from __future__ import annotations

import os
import pickle
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rq import Queue as RqQueue
from rq import SimpleWorker, Worker
from rq.suspension import suspend

from apps.engine.contracts.adapter import Known
from apps.engine.errors import Gone, Unsupported
from apps.queues.fleet import read_failures, read_job, read_page, read_server
from apps.queues.verdicts import Verdict
from tests.queues import work
from tests.queues.conftest import queue_of, read, redis_target
from tests.real_servers import RedisServer


@pytest.fixture
def emails(redis_clean: RedisServer) -> RqQueue:
    return RqQueue("emails", connection=redis_clean.client)


def run_all(server: RedisServer, *queues: RqQueue) -> None:
    SimpleWorker(list(queues), connection=server.client).work(burst=True, logging_level="CRITICAL")


def test_a_queue_is_found_without_configuration_and_counted(redis_clean: RedisServer, emails: RqQueue) -> None:
    for _ in range(3):
        emails.enqueue(work.greet, "ann")
    emails.enqueue_in(timedelta(hours=1), work.greet)
    found = read(redis_clean, b"emails")
    assert found.snapshot.ready.value == 3
    assert found.snapshot.scheduled.value == 1
    assert found.snapshot.queue.framework.startswith("RQ")


def test_the_oldest_is_the_left_end_and_its_age_is_exact(redis_clean: RedisServer, emails: RqQueue) -> None:
    first = emails.enqueue(work.greet)
    emails.enqueue(work.greet)
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    redis_clean.command("HSET", f"rq:job:{first.id}", "enqueued_at", long_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    age = read(redis_clean, b"emails").snapshot.oldest
    assert age.known is Known.EXACT
    assert age.low_s == pytest.approx(660, abs=5)


def test_a_job_put_at_the_front_is_next_on_the_page(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    urgent = emails.enqueue(work.greet, at_front=True)
    page = read_page(redis_target(redis_clean), queue_of(redis_clean, b"emails"), state="ready", start="")
    assert page.rows[0].id == urgent.id.encode()


def test_a_head_without_a_record_has_an_unknown_age_not_zero(redis_clean: RedisServer, emails: RqQueue) -> None:
    job = emails.enqueue(work.greet)
    redis_clean.command("DEL", f"rq:job:{job.id}")
    found = read(redis_clean, b"emails")
    assert found.snapshot.oldest.known is Known.UNKNOWN
    page = read_page(redis_target(redis_clean), found.snapshot.queue, state="ready", start="")
    assert "no record" in page.rows[0].note


def test_jobs_without_any_worker_are_dead(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    assert read(redis_clean, b"emails").verdict is Verdict.DEAD


def test_a_worker_with_a_heartbeat_keeps_the_queue_alive(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    worker = Worker([emails], connection=redis_clean.client, name="w1")
    worker.register_birth()
    found = read(redis_clean, b"emails")
    assert found.snapshot.workers.alive_count == 1
    assert found.verdict is Verdict.WELL
    assert found.snapshot.queue.framework == "RQ 2.12"


def test_a_worker_whose_heartbeat_stopped_is_gone(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    Worker([emails], connection=redis_clean.client, name="w1").register_birth()
    silent = (datetime.now(UTC) - timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    redis_clean.command("HSET", "rq:worker:w1", "last_heartbeat", silent)
    found = read(redis_clean, b"emails")
    assert found.snapshot.workers.workers[0].alive is False
    assert found.verdict is Verdict.DEAD


def test_failures_are_grouped_by_exception_and_last_frame(redis_clean: RedisServer, emails: RqQueue) -> None:
    for address in ("a@example.com", "b@example.com"):
        emails.enqueue(work.refuse, address)
    emails.enqueue(work.divide, 0)
    run_all(redis_clean, emails)
    failures = read_failures(redis_target(redis_clean), queue_of(redis_clean, b"emails"))
    assert failures is not None
    assert [(group.error, group.jobs_count) for group in failures.groups] == [
        (b"MailRefused", 2),
        (b"ZeroDivisionError", 1),
    ]
    assert b"queues/work.py:" in failures.groups[0].frame
    assert failures.failed.value == failures.looked_count == 3


def test_failures_beyond_five_hundred_are_said_not_read(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    for number in range(510):
        redis_clean.command("ZADD", "rq:failed:emails", number, f"job-{number}")
    failures = read_failures(redis_target(redis_clean), queue_of(redis_clean, b"emails"))
    assert failures is not None
    assert (failures.looked_count, failures.failed.value, failures.unread_count) == (500, 510, 500)


def test_a_failed_job_opens_with_its_traceback_and_its_story(redis_clean: RedisServer, emails: RqQueue) -> None:
    failed = emails.enqueue(work.refuse, "ann@example.com")
    run_all(redis_clean, emails)
    queue = queue_of(redis_clean, b"emails")
    job = read_job(redis_target(redis_clean), queue, state="failed", job=failed.id.encode(), start="")
    assert job.call == b"tests.queues.work.refuse"
    assert b"ann@example.com" in job.arguments
    assert b"MailRefused: 550 ann@example.com" in job.traceback
    assert job.payload.steps == ("zlib", "pickle, not read")
    assert job.payload.body == b""
    assert [moment.words for moment in job.moments][:2] == ["created", "enqueued"]
    assert job.moments[-1].bad
    row = read_page(redis_target(redis_clean), queue, state="failed", start="").rows[0]
    assert (row.error, row.at is not None) == (b"MailRefused", True)
    assert abs((datetime.now(UTC) - (row.at or datetime.now(UTC))).total_seconds()) < 60


def test_a_pickle_that_would_run_code_is_never_run(redis_clean: RedisServer, emails: RqQueue, tmp_path: Path) -> None:
    canary = tmp_path / "ran"

    class Canary:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {canary}",)

    bad = pickle.dumps(Canary())
    job = emails.enqueue(work.refuse, "x")
    run_all(redis_clean, emails)
    for field in ("data", "meta"):
        redis_clean.command("HSET", f"rq:job:{job.id}", field, zlib.compress(bad))
    redis_clean.command("XADD", f"rq:results:{job.id}", "*", "type", "2", "exc_string", bad, "return_value", bad)
    queue, target = queue_of(redis_clean, b"emails"), redis_target(redis_clean)
    for state in ("ready", "failed", "finished"):
        read_page(target, queue, state=state, start="")
    read_failures(target, queue)
    opened = read_job(target, queue, state="failed", job=job.id.encode(), start="")
    assert opened.payload.steps[-1] == "pickle, not read"
    assert not canary.exists()
    pickle.loads(bad)
    assert canary.exists(), "the canary itself is broken"


def test_a_traceback_that_unpacks_to_a_gigabyte_is_cut(redis_clean: RedisServer, emails: RqQueue) -> None:
    import base64

    job = emails.enqueue(work.greet)
    bomb = base64.b64encode(zlib.compress(b"x" * 200_000_000, 9))
    redis_clean.command("XADD", f"rq:results:{job.id}", "*", "type", "2", "exc_string", bomb)
    opened = read_job(
        redis_target(redis_clean), queue_of(redis_clean, b"emails"), state="ready", job=job.id.encode(), start=""
    )
    assert opened.traceback_cut
    assert len(opened.traceback) <= 256 * 1024


def test_a_call_of_five_megabytes_is_not_fetched_for_a_list(redis_clean: RedisServer, emails: RqQueue) -> None:
    job = emails.enqueue(work.greet)
    redis_clean.command("HSET", f"rq:job:{job.id}", "description", b"x" * 5_000_000, "data", b"y" * 5_000_000)
    queue, target = queue_of(redis_clean, b"emails"), redis_target(redis_clean)
    row = read_page(target, queue, state="ready", start="").rows[0]
    assert (row.call, "too long" in row.note) == (b"", True)
    opened = read_job(target, queue, state="ready", job=job.id.encode(), start="")
    assert opened.payload.size_bytes == 5_000_000
    assert "Too large" in opened.payload.why


def test_running_and_abandoned_are_told_apart(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    now = int(time.time())
    redis_clean.command("ZADD", "rq:wip:emails", now + 60, "alive:e1", now - 60, "lost:e2", -1, "endless:e3")
    found = read(redis_clean, b"emails")
    assert found.snapshot.running.value == 3
    assert found.snapshot.abandoned.value == 1
    page = read_page(redis_target(redis_clean), found.snapshot.queue, state="running", start="")
    assert {row.id for row in page.rows} == {b"alive", b"lost", b"endless"}


def test_a_suspended_redis_shows_its_queues_as_paused(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    suspend(redis_clean.client)
    assert read(redis_clean, b"emails").verdict is Verdict.PAUSED


def test_pages_follow_each_other_without_gap(redis_clean: RedisServer, emails: RqQueue) -> None:
    jobs = [emails.enqueue(work.greet).id.encode() for _ in range(120)]
    queue, target = queue_of(redis_clean, b"emails"), redis_target(redis_clean)
    seen, start = [], ""
    for _ in range(3):
        page = read_page(target, queue, state="ready", start=start)
        seen += [row.id for row in page.rows]
        start = page.next or ""
    assert seen == jobs
    assert page.next is None


def test_a_job_of_another_queue_does_not_open_here(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    other = RqQueue("reports", connection=redis_clean.client).enqueue(work.greet)
    with pytest.raises(Gone):
        read_job(
            redis_target(redis_clean), queue_of(redis_clean, b"emails"), state="ready", job=other.id.encode(), start=""
        )


def test_names_that_only_look_like_rq_are_no_proof(redis_clean: RedisServer) -> None:
    redis_clean.command("RPUSH", "rq:queues", "rq:queue:fake")
    redis_clean.command("SADD", "rq:workers", "not a worker")
    redis_clean.command("RPUSH", "rq:queue:fake", "job")
    assert read_server(redis_target(redis_clean)).queues == ()


def test_queues_of_every_database_are_found(redis_clean: RedisServer) -> None:
    import redis

    with redis.Redis(unix_socket_path=str(redis_clean.socket), db=5) as other:
        RqQueue("elsewhere", connection=other).enqueue(work.greet)
        found = read(redis_clean, b"elsewhere")
    assert found.snapshot.queue.database == "5"
    assert len(read_page(redis_target(redis_clean), found.snapshot.queue, state="ready", start="").rows) == 1


def test_a_list_of_giants_under_rqs_name_is_not_fetched(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue(work.greet)
    redis_clean.command("RPUSH", "rq:queue:emails", *[b"x" * 1_000_000] * 3)
    with pytest.raises(Unsupported):
        read_page(redis_target(redis_clean), queue_of(redis_clean, b"emails"), state="ready", start="")


def test_a_schedule_that_nobody_moves_is_said(redis_clean: RedisServer, emails: RqQueue) -> None:
    emails.enqueue_in(timedelta(hours=1), work.greet)
    assert "is due at" in read(redis_clean, b"emails").snapshot.notes[0]
    emails.enqueue_at(datetime.now(UTC) - timedelta(minutes=12), work.greet)
    assert "no scheduler moves it" in read(redis_clean, b"emails").snapshot.notes[0]
