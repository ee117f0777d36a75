"""Streams on every Redis at hand: 6.2 tells no lag, 7.0 tells one that counts what is gone."""

from __future__ import annotations

import time

import pytest

from apps.engine.contracts.adapter import Known, Snapshot
from apps.engine.errors import Gone
from apps.queues import stream_groups
from apps.queues.fleet import read_job, read_page, read_server
from apps.queues.verdicts import Verdict
from tests.queues.conftest import queue_of, read, redis_target
from tests.real_servers import RedisServer

STREAM = b"events:orders"


def add(server: RedisServer, count: int = 1, body: bytes = b"{}") -> list[bytes]:
    return [server.command("XADD", STREAM, "*", "type", "placed", "body", body) for _ in range(count)]


def group(server: RedisServer, begin: str = "0") -> None:
    server.command("XGROUP", "CREATE", STREAM, "billing", begin, "MKSTREAM")


def take(server: RedisServer, count: int, consumer: str = "c1") -> list[bytes]:
    answer = server.command("XREADGROUP", "GROUP", "billing", consumer, "COUNT", count, "STREAMS", STREAM, ">")
    return [entry[0] for entry in answer[0][1]]


def snapshot(server: RedisServer) -> Snapshot:
    return read(server, STREAM, b"billing").snapshot


def test_the_lag_of_a_group_from_the_beginning_is_exact(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis, 10)
    take(each_redis, 4)
    now = snapshot(each_redis)
    assert (now.ready.value, now.ready.known, now.running.value) == (6, Known.EXACT, 4)


def test_a_group_made_at_the_end_is_counted_where_the_server_tells_nothing(each_redis: RedisServer) -> None:
    add(each_redis, 5)
    group(each_redis, "$")
    assert snapshot(each_redis).ready.value == 0
    add(each_redis, 3)
    ready = snapshot(each_redis).ready
    assert (ready.value, ready.known) == (3, Known.EXACT)


def test_deleting_an_undelivered_entry_does_not_hide_the_lag(each_redis: RedisServer) -> None:
    group(each_redis)
    entries = add(each_redis, 8)
    take(each_redis, 2)
    each_redis.command("XDEL", STREAM, entries[5])
    assert snapshot(each_redis).ready.value == 5


def begin_in_the_middle(server: RedisServer) -> None:
    """A group at neither end: no Redis can tell its lag. One entry is yet to be delivered."""
    entries = add(server, 3)
    group(server, entries[1].decode())
    told = dict(zip(*[iter(server.command("XINFO", "GROUPS", STREAM)[0])] * 2, strict=True))
    assert told.get(b"lag") is None


def test_more_than_ten_thousand_are_at_least_so_many(redis_clean: RedisServer) -> None:
    begin_in_the_middle(redis_clean)
    pipe = redis_clean.client.pipeline(transaction=False)
    for _ in range(10_050):
        pipe.xadd(STREAM, {"a": "b"})
    pipe.execute()
    ready = snapshot(redis_clean).ready
    assert (ready.value, ready.known) == (10_000, Known.AT_LEAST)


def test_exactly_ten_thousand_are_exact(redis_clean: RedisServer) -> None:
    begin_in_the_middle(redis_clean)
    pipe = redis_clean.client.pipeline(transaction=False)
    for _ in range(9_999):
        pipe.xadd(STREAM, {"a": "b"})
    pipe.execute()
    ready = snapshot(redis_clean).ready
    assert (ready.value, ready.known) == (10_000, Known.EXACT)


def test_what_was_trimmed_before_it_was_read_is_not_waiting_but_lost(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis, 10)
    take(each_redis, 2)
    each_redis.command("XTRIM", STREAM, "MAXLEN", "=", 4)
    now = snapshot(each_redis)
    assert now.ready.value == 4
    lost = any(note.startswith("4 entries were trimmed") for note in now.notes)
    assert lost is (each_redis.version >= (7, 0, 0)), "Redis 6 keeps no count of what was added"


def test_pending_entries_that_were_trimmed_away_dangle(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis, 5)
    take(each_redis, 3)
    each_redis.command("XTRIM", STREAM, "MAXLEN", "=", 3)
    now = snapshot(each_redis)
    assert now.running.value == 3
    assert any(note.startswith("2 pending entries dangle") for note in now.notes)
    page = read_page(redis_target(each_redis), now.queue, state="running", start="")
    assert ["dangling" in row.note for row in page.rows] == [True, True, False]


def test_the_age_is_that_of_the_first_entry_not_delivered(each_redis: RedisServer) -> None:
    group(each_redis)
    for age_s in (900, 600, 300):
        each_redis.command("XADD", STREAM, int((time.time() - age_s) * 1000), "a", "b")
    take(each_redis, 1)
    age = snapshot(each_redis).oldest
    assert age.known is Known.EXACT
    assert age.low_s == pytest.approx(600, abs=5)


def test_ids_that_are_no_times_give_no_age(each_redis: RedisServer) -> None:
    group(each_redis)
    each_redis.command("XADD", STREAM, "5-1", "a", "b")
    assert snapshot(each_redis).oldest.known is Known.UNKNOWN


def test_a_lag_without_a_consumer_is_dead(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis)
    assert read(each_redis, STREAM, b"billing").verdict is Verdict.DEAD


def test_consumers_that_read_keep_up_and_their_pending_is_theirs(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis, 4)
    take(each_redis, 1, "c1")
    take(each_redis, 2, "c2")
    found = read(each_redis, STREAM, b"billing")
    assert found.verdict is Verdict.WELL
    assert [(worker.name, worker.jobs_count, worker.alive) for worker in found.snapshot.workers.workers] == [
        (b"c2", 2, True),
        (b"c1", 1, True),
    ]


def test_deliveries_and_consumers_stand_on_the_pending_page(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis, 1)
    entry = take(each_redis, 1)[0]
    each_redis.command("XCLAIM", STREAM, "billing", "c2", 0, entry)
    queue, target = queue_of(each_redis, STREAM, b"billing"), redis_target(each_redis)
    row = read_page(target, queue, state="running", start="").rows[0]
    assert (row.id, row.holder, row.attempts) == (entry, b"c2", "2")
    job = read_job(target, queue, state="running", job=entry, start="")
    assert b"type = placed" in job.payload.body
    assert ("Consumer", b"c2") in job.facts


def test_pages_of_undelivered_entries_follow_each_other(each_redis: RedisServer) -> None:
    group(each_redis)
    entries = add(each_redis, 70)
    queue, target = queue_of(each_redis, STREAM, b"billing"), redis_target(each_redis)
    first = read_page(target, queue, state="ready", start="")
    second = read_page(target, queue, state="ready", start=first.next or "")
    assert [row.id for row in (*first.rows, *second.rows)] == entries
    assert second.next is None


def test_entries_of_five_megabytes_are_fetched_one_at_a_time(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis, 3, b"x" * 5_000_000)
    now = snapshot(each_redis)
    page = read_page(redis_target(each_redis), now.queue, state="ready", start="")
    assert len(page.rows) == 1
    assert page.next is not None
    assert len(page.rows[0].arguments) < 1000


def test_a_stream_without_a_group_is_a_log_and_no_queue(each_redis: RedisServer) -> None:
    add(each_redis, 5)
    assert read_server(redis_target(each_redis)).queues == ()


def test_an_entry_that_was_trimmed_is_gone(each_redis: RedisServer) -> None:
    group(each_redis)
    add(each_redis)
    queue = queue_of(each_redis, STREAM, b"billing")
    for name in (b"1-1", b"- +", b"\xff"):
        with pytest.raises(Gone):
            read_job(redis_target(each_redis), queue, state="ready", job=name, start="")


def test_ids_step_over_their_own_ends() -> None:
    assert stream_groups.after(b"5-18446744073709551615") == b"6-0"
    assert stream_groups.before(b"5-0") == b"4-18446744073709551615"
    assert stream_groups.order(b"10-2") > stream_groups.order(b"9-99")
