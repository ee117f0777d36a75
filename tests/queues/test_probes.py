"""Backlogs as figures, from real frameworks and tables: depth, age and failures by queue, and nothing written."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta

import pytest
from rq import Queue as RqQueue
from rq import SimpleWorker

from apps.engine.contracts.adapter import Queue
from apps.engine.contracts.probe import bare, label_of
from apps.engine.errors import EngineError
from apps.history.catalogue import probes
from apps.history.rates import derived
from apps.queues import figures
from apps.queues.figures import label
from tests.queues import work
from tests.queues.conftest import postgres_target, redis_target
from tests.queues.test_outboxes import TABLE, fill
from tests.real_servers import PostgresDatabase, RedisServer

REDIS = probes()["redis_queues"]
POSTGRES = probes()["postgres_queues"]


def furnish(server: RedisServer) -> None:
    """A failed job, two that wait (one for 11 minutes), and a stream with a group that is three behind."""
    emails = RqQueue("emails", connection=server.client)
    emails.enqueue(work.refuse, "ann@example.com")
    SimpleWorker([emails], connection=server.client).work(burst=True, logging_level="CRITICAL")
    first = emails.enqueue(work.greet)
    emails.enqueue(work.greet)
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    server.command("HSET", f"rq:job:{first.id}", "enqueued_at", long_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    for count in range(3):
        server.command("XADD", "orders", "*", "n", count)
    server.command("XGROUP", "CREATE", "orders", "billing", "0")


def digest(server: RedisServer) -> str:
    """Everything the server holds, with its time to live."""
    found = hashlib.sha256()
    for key in sorted(server.client.scan_iter()):
        found.update(key + server.command("DUMP", key) + str(server.command("PTTL", key) > 0).encode())
    return found.hexdigest()


def test_depth_age_and_failures_are_told_by_queue(each_redis: RedisServer) -> None:
    furnish(each_redis)
    seen = REDIS.read(redis_target(each_redis))
    assert (seen["queue_depth_count[rq:emails]"], seen["queue_failed_count[rq:emails]"]) == (2, 1)
    assert seen["queue_oldest_s[rq:emails]"] == pytest.approx(660, abs=5)
    assert seen["queue_depth_count[stream:orders/billing]"] == 3
    assert "queue_failed_count[stream:orders/billing]" not in seen
    assert (seen["queues_count"], seen["jobs_ready_count"], seen["jobs_failed_count"]) == (2, 5, 1)


def test_what_comes_to_a_stream_and_leaves_it_becomes_rates(each_redis: RedisServer) -> None:
    """By counters that streams have from 7.0 on, of a group since its first reading; before nothing is told."""
    target = redis_target(each_redis)
    each_redis.command("XGROUP", "CREATE", "orders", "billing", "0", "MKSTREAM")
    some = ("XREADGROUP", "GROUP", "billing", "one", "COUNT", "20", "STREAMS", "orders", ">")
    each_redis.command("XADD", "orders", "*", "n", "0")
    each_redis.command(*some)
    before = REDIS.read(target)
    for count in range(30):
        each_redis.command("XADD", "orders", "*", "n", count)
    each_redis.command(*some)
    per_s = derived(REDIS, REDIS.read(target), before, elapsed_s=10)
    counted = {"queue_arrivals_per_s[stream:orders/billing]": 3.0, "queue_departures_per_s[stream:orders/billing]": 2.0}
    assert per_s == (counted if each_redis.version >= (7, 0, 0) else {})


def test_an_empty_queue_stays_in_the_history_as_empty(redis_clean: RedisServer) -> None:
    emails = RqQueue("emails", connection=redis_clean.client)
    emails.enqueue(work.greet)
    emails.empty()
    seen = REDIS.read(redis_target(redis_clean))
    assert (seen["queue_depth_count[rq:emails]"], seen["queue_oldest_s[rq:emails]"]) == (0, 0)


def test_a_server_without_queues_says_so(each_redis: RedisServer) -> None:
    sums = {"queues_count": 0, "jobs_ready_count": 0, "jobs_failed_count": 0, "oldest_job_s": 0}
    assert REDIS.read(redis_target(each_redis)) == sums


def test_the_job_that_waits_longest_is_told_with_its_queue(redis_clean: RedisServer) -> None:
    for queue, seconds in (("emails", 300), ("reports", 4000)):
        job = RqQueue(queue, connection=redis_clean.client).enqueue(work.greet)
        job.enqueued_at = datetime.now(UTC) - timedelta(seconds=seconds)
        job.save()
    seen = REDIS.read(redis_target(redis_clean))
    assert seen["oldest_job_queue"] == "reports"
    assert 3990 < float(seen["oldest_job_s"] or 0) < 4100


def test_reading_leaves_everything_as_it_was(redis_clean: RedisServer) -> None:
    furnish(redis_clean)
    before = digest(redis_clean)
    changes = redis_clean.command("INFO", "persistence")["rdb_changes_since_last_save"]
    REDIS.read(redis_target(redis_clean))
    assert redis_clean.command("INFO", "persistence")["rdb_changes_since_last_save"] == changes
    assert digest(redis_clean) == before


def test_of_many_queues_fifty_are_told_and_all_are_in_the_sums(redis_clean: RedisServer) -> None:
    for count in range(60):
        redis_clean.command("SADD", "rq:queues", f"rq:queue:q{count:02}")
        redis_clean.command("RPUSH", f"rq:queue:q{count:02}", "job")
    seen = REDIS.read(redis_target(redis_clean))
    told = sorted(label_of(name) for name in seen if bare(name) == "queue_depth_count")
    assert told == [f"rq:q{count:02}" for count in range(figures.MOST_QUEUES)]
    assert (seen["queues_count"], seen["jobs_ready_count"]) == (60, 60)


def test_a_hostile_name_is_written_with_escapes(redis_clean: RedisServer) -> None:
    name = b"e\x1b[31m\xff]<b>"
    redis_clean.command("SADD", "rq:queues", b"rq:queue:" + name)
    redis_clean.command("RPUSH", b"rq:queue:" + name, "job")
    seen = REDIS.read(redis_target(redis_clean))
    assert seen["queue_depth_count[rq:e\\x1b[31m\\xff]<b>]"] == 1
    assert label_of("queue_depth_count[rq:e\\x1b[31m\\xff]<b>]") == "rq:e\\x1b[31m\\xff]<b>"


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (Queue(adapter="rq", framework="", database="0", name=b"emails"), b"rq:emails"),
        (Queue(adapter="celery", framework="", database="2", prefix=b"eu:", name=b"mails"), b"celery:eu:mails@2"),
        (Queue(adapter="stream", framework="", database="", name=b"orders", part=b"b"), b"stream:orders/b"),
        (
            Queue(adapter="outbox", framework="", database="shop", name=b"events", part=b"public"),
            b"outbox:public.events",
        ),
    ],
    ids=lambda each: each.decode() if isinstance(each, bytes) else None,
)
def test_a_queue_has_the_same_label_at_every_look(queue: Queue, expected: bytes) -> None:
    assert label(queue) == expected


def test_an_outbox_table_is_told_too(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql(TABLE)
    fill(each_postgres, 5, minutes=7)
    each_postgres.sql("UPDATE outbox_event SET attempts = 2, last_error = 'refused' WHERE id = 2")
    seen = POSTGRES.read(postgres_target(each_postgres))
    assert seen["queue_depth_count[outbox:public.outbox_event]"] == 5
    assert seen["queue_failed_count[outbox:public.outbox_event]"] == 1
    assert seen["queue_oldest_s[outbox:public.outbox_event]"] == pytest.approx(420, abs=5)


def test_a_server_that_is_gone_is_an_error_and_no_empty_board(redis_clean: RedisServer) -> None:
    redis_clean.command("ACL", "SETUSER", "poor", "on", "nopass", "+ping")
    with pytest.raises(EngineError):
        REDIS.read(redis_target(redis_clean, username="poor", password="x"))


def test_where_the_time_is_not_enough_the_sums_are_not_known(
    redis_clean: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(redis_clean)
    monkeypatch.setattr(figures, "WITHIN_S", -1.0)
    assert REDIS.read(redis_target(redis_clean)) == dict.fromkeys(
        ("queues_count", "jobs_ready_count", "jobs_failed_count")
    )


def test_a_look_is_quick_on_many_names(redis_clean: RedisServer) -> None:
    redis_clean.command("DEBUG", "POPULATE", 50_000)
    furnish(redis_clean)
    begun = time.monotonic()
    assert REDIS.read(redis_target(redis_clean))["queue_depth_count[rq:emails]"] == 2
    assert time.monotonic() - begun < 2
