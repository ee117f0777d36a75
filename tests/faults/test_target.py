"""The server fails in the middle of a run: it stops, fails over, runs out of memory, takes no writes any more."""

from __future__ import annotations

import secrets

import pytest

from apps.accounts.models import Operator
from apps.operations import reaping
from apps.operations.archives import originals_of
from apps.operations.models import Run
from apps.operations.telling import plain
from tests.faults.conftest import OwnRedis, Worker, silent, until
from tests.faults.test_killed import DELETE, KEYS, TTL, furnish, submitted
from tests.operations.door import Door, actor_for, outcome_of, register_redis
from tests.operations.scenario import values
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
MIDDLE = 130


def at(server: RedisServer, operator: Operator) -> Door:
    return Door(actor=actor_for(operator), server=register_redis(server))


def why(run: Run) -> str:
    """What the run says of its end."""
    outcome = outcome_of(run)
    return " ".join([plain(outcome.said), *(plain(figure.note) for figure in outcome.figures)])


def gone_are_kept(run: Run, there: dict[bytes, object]) -> set[bytes]:
    """Names that are gone. Each was kept; nothing else was touched."""
    gone = {b"cart:tmp:%d" % n for n in range(KEYS)} - set(there)
    kept = originals_of(run)
    assert gone <= ({record.name for record in kept.records()} if kept else set())
    assert {b"cart:user:%d" % n for n in range(KEYS)} <= set(there)
    return gone


def test_a_server_that_stops_ends_the_run_with_what_was_done(
    own_redis: OwnRedis, alice: Operator, worker: Worker
) -> None:
    server = own_redis()
    furnish(server)
    run = submitted(at(server, alice), DELETE, pattern=b"cart:tmp:*")
    with worker.paused(run, at=MIDDLE):
        there = values(server)
        server.embedded.stop()
    run.refresh_from_db()
    gone = gone_are_kept(run, there)
    assert gone and run.state == "partial", run.outcome
    assert run.done_count == len(gone) and "redis.sock" in why(run)


def test_a_server_that_comes_back_as_another_is_not_touched_by_a_resumed_run(
    own_redis: OwnRedis, alice: Operator, worker: Worker
) -> None:
    """Restarted from nothing: the cursor means nothing there, and the keys are others."""
    server = own_redis()
    furnish(server)
    door = at(server, alice)
    run = submitted(door, DELETE, pattern=b"cart:tmp:*")
    assert worker(run, at=150).returncode < 0
    server.embedded.stop()
    server.embedded.start()
    server.command("SET", "cart:tmp:other", "somebody's")
    silent(run)
    reaping.reap()
    worker(run)
    run.refresh_from_db()
    assert run.state in ("partial", "failed") and "run of" in why(run), why(run)
    assert server.command("GET", "cart:tmp:other") == b"somebody's"


def test_a_failover_in_the_middle_loses_nothing(own_redis: OwnRedis, alice: Operator, worker: Worker) -> None:
    """The primary hands over to its replica: what is gone there too is kept, the rest stays, and the run says why it ended."""
    first, second = own_redis(), own_redis()
    second.command("REPLICAOF", "127.0.0.1", first.port)
    furnish(first)
    until(lambda: second.command("DBSIZE") == 2 * KEYS)
    run = submitted(at(first, alice), DELETE, pattern=b"cart:tmp:*")
    with worker.paused(run, at=MIDDLE):
        first.command("WAIT", 1, 5000)
        first.command("FAILOVER")
        until(lambda: second.command("ROLE")[0] == b"master")
    run.refresh_from_db()
    assert run.state == "partial", run.outcome
    there = values(second)
    gone = gone_are_kept(run, there)
    assert len(gone) == run.done_count
    until(lambda: values(first) == there)


def test_an_undo_into_a_server_without_memory_stops_whole_and_can_be_repeated(
    own_redis: OwnRedis, alice: Operator
) -> None:
    server = own_redis()
    value = secrets.token_hex(5_000)
    for n in range(200):
        server.command("SET", f"cart:tmp:{n}", value)
    before, door = values(server), at(server, alice)
    run = door.does(DELETE, pattern=b"cart:tmp:*")
    assert run.state == "done" and values(server) == {}
    used = int(server.client.info("memory")["used_memory"])
    server.command("CONFIG", "SET", "maxmemory", used + 800_000)
    undo = door.does(f"{DELETE}.undo", run=run.pk)
    assert undo.state in ("partial", "failed") and "maxmemory" in why(undo), why(undo)
    there = values(server)
    assert set(there.values()) <= {value.encode()} and len(there) == undo.done_count < 200
    server.command("CONFIG", "SET", "maxmemory", 0)
    assert door.does(f"{DELETE}.undo", run=run.pk).state == "done"
    assert values(server) == before


@pytest.mark.parametrize("key", [DELETE, TTL])
def test_a_server_without_memory_still_gives_keys_up(key: str, own_redis: OwnRedis, alice: Operator) -> None:
    server = own_redis()
    furnish(server)
    server.command("CONFIG", "SET", "maxmemory", 1)
    params = {"pattern": b"cart:tmp:*"} | ({"ttl_s": 60, "which": "all"} if key == TTL else {})
    run = at(server, alice).does(key, **params)
    assert run.state == "done" and run.done_count == KEYS, run.outcome


def test_an_edit_without_memory_leaves_the_value_and_says_why(own_redis: OwnRedis, alice: Operator) -> None:
    server = own_redis()
    server.command("SET", "a", "before")
    door = at(server, alice)
    plan = door.plans("keyspace.edit_string", name=b"a", value="after")
    server.command("CONFIG", "SET", "maxmemory", 1)
    run = door.carries_out(door.submits(plan))
    assert run.state == "failed" and "maxmemory" in why(run), why(run)
    assert server.command("GET", "a") == b"before"


@pytest.mark.parametrize("key", ["keyspace.delete_key", DELETE, TTL])
def test_a_server_that_became_a_replica_takes_nothing_and_the_run_says_so(
    key: str, own_redis: OwnRedis, alice: Operator
) -> None:
    first, second = own_redis(), own_redis()
    furnish(first)
    door = at(first, alice)
    params: dict[str, object] = {"pattern": b"cart:tmp:*"} if key != "keyspace.delete_key" else {"name": b"cart:tmp:1"}
    if key == TTL:
        params |= {"ttl_s": 60, "which": "all"}
    plan = door.plans(key, **params)
    before = values(first)
    furnish(second)
    first.command("REPLICAOF", "127.0.0.1", second.port)
    until(lambda: first.command("ROLE")[3] == b"connected")
    run = door.carries_out(door.submits(plan))
    assert run.state == "failed" and run.done_count == 0 and "primary" in why(run), why(run)
    assert values(first) == before
