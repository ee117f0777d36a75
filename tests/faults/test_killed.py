"""A worker is killed with -9 at twenty points of a run, another one goes on, and a second client writes all the while.

Whatever the point: every key that is gone is kept, nothing outside of the pattern was touched, and what the second client wrote
is in the originals or on the server, added up.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from apps.accounts.models import Operator
from apps.engine.connections.redis import redis_node
from apps.operations import execution, planning, reaping
from apps.operations.archives import originals_of
from apps.operations.guard import Given
from apps.operations.models import AuditEntry, Run
from tests.faults.conftest import Counting, Worker, silent
from tests.operations.door import Door, OpenDoor
from tests.operations.scenario import values
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = 400
POINTS = 20
DELETE, TTL = "keyspace.delete_pattern", "keyspace.set_ttl"
HOUR_MS = 3_600_000
# About as many points as a run over that many keys passes; a worker that is not told to die prints how many.
DELETE_POINTS, TTL_POINTS, TRIM_POINTS = 260, 220, 80


def furnish(server: RedisServer) -> None:
    for n in range(KEYS):
        server.command("SET", f"cart:tmp:{n}", "0", *(["PX", HOUR_MS] if n % 4 == 0 else []))
        server.command("SET", f"cart:user:{n}", "0")


def submitted(at: Door, key: str, **params: object) -> Run:
    plan = at.plans(key, **params)
    if plan.state == "waiting":
        planning.plan_in_background(plan.pk)
        plan.refresh_from_db()
    run = execution.submit(at.actor, plan, Given(reason="a test that kills it")).run
    run.refresh_from_db()
    return run


def spread(points: int) -> list[int]:
    """Twenty points from the first to the last."""
    return sorted({1 + round(n * (points - 1) / (POINTS - 1)) for n in range(POINTS)})


def resumed(worker: Worker, run: Run) -> Run:
    """The reaper finds the run, and other workers carry it to its end."""
    for _ in range(reaping.MOST_TRIES):
        run.refresh_from_db()
        if not run.is_open:
            return run
        if run.state == "running":
            silent(run)
            assert reaping.reap() == 1
        assert worker(run).returncode == 0
    run.refresh_from_db()
    return run


def kept_sums(server: RedisServer, run: Run) -> dict[bytes, int]:
    """By name, the values of all originals added up. A name is kept twice where it came back in between."""
    found: dict[bytes, int] = {}
    kept = originals_of(run)
    for record in kept.records() if kept else ():
        server.command("RESTORE", "look", 0, record.content, "REPLACE")
        found[record.name] = found.get(record.name, 0) + int(server.command("GET", "look"))
    server.command("DEL", "look")
    return found


@pytest.mark.parametrize("number", range(POINTS))
def test_delete_by_pattern_killed_and_resumed_loses_nothing(
    number: int, redis_clean: RedisServer, alice: Operator, door: OpenDoor, worker: Worker,
    counting: Callable[[list[bytes]], Counting],
) -> None:  # fmt: skip
    furnish(redis_clean)
    run = submitted(door(alice), DELETE, pattern=b"cart:tmp:*")
    busy = [b"cart:tmp:%d" % n for n in range(0, KEYS, 40)] + [b"cart:user:1"]
    with counting(busy) as second:
        killed = worker(run, at=spread(DELETE_POINTS)[number])
        assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
        run = resumed(worker, run)
    assert run.state in ("done", "partial"), run.outcome
    there = values(redis_clean)
    kept = kept_sums(redis_clean, run)
    for n in range(KEYS):
        name = b"cart:tmp:%d" % n
        assert name in there or name in kept, f"{name!r} is gone and was not kept"
        total = kept.get(name, 0) + int(redis_clean.command("GET", name) or 0)
        assert total == second.written.get(name, 0), name
        assert there[b"cart:user:%d" % n] == b"%d" % second.written.get(b"cart:user:%d" % n, 0)
    outcomes = AuditEntry.objects.filter(run_number=run.pk, phase="outcome").count()
    assert outcomes == 1


@pytest.mark.parametrize("number", range(POINTS))
def test_set_ttl_killed_and_resumed_can_be_undone_whole(
    number: int, redis_clean: RedisServer, alice: Operator, door: OpenDoor, worker: Worker
) -> None:
    furnish(redis_clean)
    at = door(alice)
    run = submitted(at, TTL, pattern=b"cart:tmp:*", ttl_s=60, which="all")
    killed = worker(run, at=spread(TTL_POINTS)[number])
    assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
    run = resumed(worker, run)
    assert run.state == "done", run.outcome
    for n in range(KEYS):
        assert 0 < redis_clean.command("PTTL", f"cart:tmp:{n}") <= 66_000
        assert redis_clean.command("PTTL", f"cart:user:{n}") == -1
    assert at.does(f"{TTL}.undo", run=run.pk).state == "done"
    for n in range(KEYS):
        ttl = redis_clean.command("PTTL", f"cart:tmp:{n}")
        assert (HOUR_MS - 600_000 < ttl <= HOUR_MS) if n % 4 == 0 else ttl == -1, n


@pytest.mark.parametrize("number", range(POINTS))
def test_trim_stream_killed_and_resumed_loses_no_entry(
    number: int, redis_clean: RedisServer, alice: Operator, door: OpenDoor, worker: Worker
) -> None:
    """What is gone from the stream is kept, what a group has still to read is there, and what was added meanwhile as well."""
    for n in range(1, KEYS + 1):
        redis_clean.command("XADD", "events", f"{n}-0", "n", n)
    for group, read in (("fast", KEYS), ("slow", KEYS - 50)):
        redis_clean.command("XGROUP", "CREATE", "events", group, "0")
        redis_clean.command("XREADGROUP", "GROUP", group, "one", "COUNT", read, "NOACK", "STREAMS", "events", ">")
    run = submitted(door(alice), "queues.trim_stream", stream=b"events")
    killed = worker(run, at=spread(TRIM_POINTS)[number])
    assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
    redis_clean.command("XADD", "events", f"{KEYS + 1}-0", "n", "added meanwhile")
    run = resumed(worker, run)
    assert run.state == "done" and run.done_count == KEYS - 50, run.outcome
    left = [entry_id for entry_id, _ in redis_clean.command("XRANGE", "events", "-", "+")]
    assert left == [b"%d-0" % n for n in range(KEYS - 49, KEYS + 2)]
    kept = originals_of(run)
    assert kept is not None
    assert {record.name for record in kept.records()} == {b"%d-0" % n for n in range(1, KEYS - 49)}


@pytest.mark.parametrize("at_point", [1, 3, 8])
def test_an_undo_killed_is_unknown_and_can_be_planned_again(
    at_point: int, redis_clean: RedisServer, alice: Operator, door: OpenDoor, worker: Worker
) -> None:
    furnish(redis_clean)
    before, at = values(redis_clean), door(alice)
    run = at.does(DELETE, pattern=b"cart:tmp:*")
    undo = submitted(at, f"{DELETE}.undo", run=run.pk)
    assert worker(undo, at=at_point).returncode == -signal.SIGKILL
    silent(undo)
    reaping.reap()
    undo.refresh_from_db()
    assert undo.state == "unknown" and "Look at the server" in undo.outcome
    again = at.does(f"{DELETE}.undo", run=run.pk)
    assert again.state == "done" and values(redis_clean) == before


def test_a_run_that_kills_every_worker_is_given_up(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, worker: Worker
) -> None:
    furnish(redis_clean)
    run = submitted(door(alice), DELETE, pattern=b"cart:tmp:*")
    for _ in range(reaping.MOST_TRIES):
        assert worker(run, at=2).returncode == -signal.SIGKILL
        silent(run)
        reaping.reap()
    run.refresh_from_db()
    assert run.state == "unknown" and run.tries_count == reaping.MOST_TRIES


def test_a_worker_that_slept_through_its_lock_touches_nothing_any_more(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, worker: Worker
) -> None:
    """Suspended in the middle, taken for dead, replaced, and then it wakes up."""
    furnish(redis_clean)
    run = submitted(door(alice), DELETE, pattern=b"cart:tmp:*")
    with worker.paused(run, at=130):
        silent(run)
        assert reaping.reap() == 1
        assert worker(run).returncode == 0
        run.refresh_from_db()
        assert run.state == "done", run.outcome
        for n in range(50):
            redis_clean.command("SET", f"cart:tmp:new{n}", "written after the run")
    left = [name for name in values(redis_clean) if name.startswith(b"cart:tmp:")]
    assert len(left) == 50 and all(name.startswith(b"cart:tmp:new") for name in left)
    assert AuditEntry.objects.filter(run_number=run.pk, phase="outcome").count() == 1


def test_what_was_kept_by_a_killed_worker_can_be_read(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, worker: Worker
) -> None:
    """Killed between keeping and deleting: the originals are there, the keys as well, and undo overwrites nothing."""
    furnish(redis_clean)
    at = door(alice)
    run = submitted(at, DELETE, pattern=b"cart:tmp:*")
    worker(run, at=140)
    with redis_node(at.server.target()) as node:
        there = set(node.command("KEYS", "cart:tmp:*"))
    kept = originals_of(run)
    gone = {b"cart:tmp:%d" % n for n in range(KEYS)} - there
    assert (kept is None and not gone) or (kept is not None and gone <= {record.name for record in kept.records()})
