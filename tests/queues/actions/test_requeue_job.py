"""One failed job goes back into its queue, and a real worker runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.job import Job
from rq.suspension import suspend

from apps.accounts.models import Operator
from apps.engine.connections.redis import redis_node
from apps.engine.errors import Gone, NotPermitted, Unsupported
from apps.operations.buttons import start_url
from apps.operations.planning import content_of
from apps.queues import rq_requeue
from apps.queues.actions.requeue_job import ACTION
from apps.queues.rq_requeue import Kept, Place
from apps.servers.models import Server
from tests.operations.door import Door, OpenDoor, actor_for
from tests.operations.scenario import Scenario
from tests.queues import work
from tests.queues.conftest import queue_of, redis_target
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "queues.requeue_job"
JOB = "mail-1"


def fail_one(
    server: RedisServer, job_id: str = JOB, *, works: bool = True, version: str = "", client: Redis | None = None
) -> Job:
    """A job that failed by RQ's own doing; and somebody who works, so that RQ's version is known."""
    connection = client or server.client
    emails = Queue("emails", connection=connection)
    job = emails.enqueue(work.refuse, "ann@example.com", job_id=job_id)
    SimpleWorker([emails], connection=connection).work(burst=True, logging_level="CRITICAL")
    if works:
        worker = Worker([emails], connection=connection, name=f"beside-{job_id}")
        worker.register_birth()
        if version:
            connection.hset(worker.key, "version", version)
    return job


def record_of(server: RedisServer, job_id: str = JOB) -> dict[bytes, bytes]:
    flat = server.command("HGETALL", f"rq:job:{job_id}")
    return dict(flat) if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


def params(job: str = JOB, queue: bytes = b"emails", db: int = 0) -> dict[str, Any]:
    return {"job": job.encode(), "queue": queue, "db": db}


def _prepare(server: RedisServer) -> dict[str, Any]:
    fail_one(server, "left-alone")
    fail_one(server)
    return params()


def _changed(server: RedisServer) -> bool:
    return (
        server.command("LRANGE", "rq:queue:emails", 0, -1) == [JOB.encode()]
        and server.command("ZRANGE", "rq:failed:emails", 0, -1) == [b"left-alone"]
        and record_of(server)[b"status"] == b"queued"
    )


def _undone(server: RedisServer) -> bool:
    both = server.command("ZRANGE", "rq:failed:emails", 0, -1)
    now = record_of(server)
    return (
        sorted(both) == [b"left-alone", JOB.encode()]
        and server.command("EXISTS", "rq:queue:emails") == 0
        and now[b"status"] == b"failed"
        and bool(now[b"ended_at"])
        and bool(now[b"worker_name"])
    )


SCENARIO = Scenario(prepare=_prepare, changed=_changed, undone=_undone)


def test_a_real_worker_runs_the_job_that_was_put_back(each_redis: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fail_one(each_redis)
    at = Door(actor=actor_for(alice), server=registered(each_redis))
    before = each_redis.command("XLEN", f"rq:results:{JOB}")
    run = at.does(KEY, **params())
    assert run.state == "done", run.outcome
    emails = Queue("emails", connection=each_redis.client)
    assert emails.job_ids == [JOB]
    SimpleWorker([emails], connection=each_redis.client).work(burst=True, logging_level="CRITICAL")
    assert emails.job_ids == []
    assert each_redis.command("XLEN", f"rq:results:{JOB}") == before + 1, "it was run once more, and failed once more"
    assert each_redis.command("ZRANGE", "rq:failed:emails", 0, -1) == [JOB.encode()]


def test_a_job_that_succeeds_the_second_time_is_finished_and_its_dependents_follow(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    emails = Queue("emails", connection=redis_clean.client)
    job = emails.enqueue(work.greet, "ann", job_id=JOB)
    after = emails.enqueue(work.greet, "bob", depends_on=job)
    redis_clean.command("LREM", "rq:queue:emails", 0, JOB)
    redis_clean.command("HSET", f"rq:job:{JOB}", "status", "failed", "ended_at", "2026-10-01T10:00:00.000000Z")
    redis_clean.command("ZADD", "rq:failed:emails", 2_000_000_000, JOB)
    Worker([emails], connection=redis_clean.client).register_birth()
    at = door(alice)
    said = content_of(at.plans(KEY, **params()))
    assert any(fact.label == "Depend on it" for fact in said.facts)
    at.does(KEY, **params())
    SimpleWorker([emails], connection=redis_clean.client).work(burst=True, logging_level="CRITICAL")
    assert job.get_status(refresh=True) == "finished" and after.get_status(refresh=True) == "finished"


def test_the_second_time_is_refused_with_its_reason(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fail_one(redis_clean)
    at = door(alice)
    first, second = at.plans(KEY, **params()), at.plans(KEY, **params())
    assert at.carries_out(at.submits(first)).state == "done"
    run = at.carries_out(at.submits(second))
    assert run.state == "failed" and "Nothing was done" in run.outcome
    assert redis_clean.command("LRANGE", "rq:queue:emails", 0, -1) == [JOB.encode()], "once, not twice"
    with pytest.raises(Gone, match="put back or deleted already"):
        at.plans(KEY, **params())


def kept_of(server: RedisServer, **changed: Any) -> Kept:
    with redis_node(redis_target(server)) as node:
        score, fields = rq_requeue.look(node, Place(queue=b"emails", job=JOB.encode()))
    made = Kept(queue=b"emails", score=score, fields=fields, requeued_at=b"2026-11-01T00:00:00.000000Z")
    return Kept(**{**{name: getattr(made, name) for name in made.__struct_fields__}, **changed})


@pytest.mark.parametrize(
    ("meddle", "code"),
    [
        (lambda s: s.command("DEL", f"rq:job:{JOB}"), -1),
        (lambda s: s.command("HSET", f"rq:job:{JOB}", "origin", "others"), -2),
        (lambda s: s.command("ZREM", "rq:failed:emails", JOB), -3),
        (lambda s: s.command("ZADD", "rq:failed:emails", 1, JOB), -4),
        (lambda s: s.command("HSET", f"rq:job:{JOB}", "ended_at", "2030-01-01T00:00:00.000000Z"), -4),
    ],
)
def test_what_changed_since_it_was_kept_is_left_whole(
    each_redis: RedisServer, meddle: Callable[[RedisServer], object], code: int
) -> None:
    """The script alone, as if somebody came between: each answer has its reason, and nothing is written."""
    fail_one(each_redis)
    what = kept_of(each_redis)
    meddle(each_redis)
    before = SCENARIO.state(each_redis)
    with redis_node(redis_target(each_redis), fresh=True) as node:
        assert rq_requeue.requeue(node, Place(queue=b"emails", job=JOB.encode()), what) == code
    assert SCENARIO.state(each_redis) == before
    assert rq_requeue.refusal(code).message


def test_an_account_that_lacks_one_right_of_the_script_changes_nothing(redis_clean: RedisServer) -> None:
    """The right that is used last is asked for before the first write."""
    fail_one(redis_clean)
    what = kept_of(redis_clean)
    redis_clean.command("ACL", "SETUSER", "half", "on", ">p", "~*", "+@all", "-zrem")
    before = SCENARIO.state(redis_clean)
    with redis_node(redis_target(redis_clean, username="half", password="p"), fresh=True) as node:
        assert rq_requeue.requeue(node, Place(queue=b"emails", job=JOB.encode()), what) == -5
    assert SCENARIO.state(redis_clean) == before


def test_on_an_older_server_a_right_that_is_missing_last_loses_no_job(each_redis: RedisServer) -> None:
    fail_one(each_redis)
    what = kept_of(each_redis)
    each_redis.command("ACL", "SETUSER", "half", "on", ">p", "~*", "+@all", "-rpush")
    with redis_node(redis_target(each_redis, username="half", password="p"), fresh=True) as node:
        try:
            assert rq_requeue.requeue(node, Place(queue=b"emails", job=JOB.encode()), what) == -5
        except NotPermitted as error:
            assert each_redis.version < (7, 0, 0) and "script" in error.message
    assert each_redis.command("ZRANGE", "rq:failed:emails", 0, -1) == [JOB.encode()]
    assert each_redis.command("EXISTS", "rq:queue:emails") == 0


# -- versions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.0", "0.13.0", "nonsense"])
def test_a_version_of_rq_that_was_not_tried_is_read_only(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, version: str
) -> None:
    fail_one(redis_clean, version=version)
    before = SCENARIO.state(redis_clean)
    with pytest.raises(Unsupported, match=f"RQ {version} works here"):
        door(alice).plans(KEY, **params())
    assert SCENARIO.state(redis_clean) == before


def test_a_version_that_nobody_tells_is_read_only(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fail_one(redis_clean, works=False)
    with pytest.raises(Unsupported, match="version is unknown"):
        door(alice).plans(KEY, **params())


def test_a_worker_of_another_version_that_came_after_the_plan_stops_the_run(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fail_one(redis_clean)
    at = door(alice)
    plan = at.plans(KEY, **params())
    redis_clean.command("HSET", "rq:worker:w2", "version", "3.1")
    redis_clean.command("SADD", "rq:workers", "rq:worker:w2")
    run = at.carries_out(at.submits(plan))
    assert run.state == "failed" and "RQ 3.1" in run.outcome
    assert redis_clean.command("EXISTS", "rq:queue:emails") == 0


@pytest.mark.parametrize("version", ["1.16.2", "2.12.0"])
def test_versions_that_were_tried_are_named_in_the_plan(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, version: str
) -> None:
    fail_one(redis_clean, version=version)
    said = content_of(door(alice).plans(KEY, **params()))
    assert [fact.words[0].text for fact in said.facts if fact.label == "Workers"] == [f"of RQ {version}"]


# -- what else the plan says -------------------------------------------------------------------------------------------


def test_the_plan_says_the_call_without_its_arguments_and_that_rq_is_suspended(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fail_one(redis_clean)
    suspend(redis_clean.client)
    plan = door(alice).plans(KEY, **params())
    said = content_of(plan)
    call = next(fact for fact in said.facts if fact.label == "Call")
    assert call.words[0].name == b"tests.queues.work.refuse"
    assert "ann@example.com" not in plan.content
    assert "suspended" in said.warnings[0][0].text


def test_a_job_of_another_queue_is_not_put_into_this_one(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fail_one(redis_clean)
    redis_clean.command("ZADD", "rq:failed:others", 1, JOB)
    with pytest.raises(Gone, match="another queue"):
        door(alice).plans(KEY, **params(queue=b"others"))


def test_a_job_of_another_database_is_put_back_there(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    third = Redis(unix_socket_path=str(redis_clean.socket), db=3, protocol=2)
    fail_one(redis_clean, client=third)
    run = door(alice).does(KEY, **params(db=3))
    assert run.state == "done"
    assert third.lrange("rq:queue:emails", 0, -1) == [JOB.encode()]
    assert redis_clean.command("DBSIZE") == 0
    third.close()


def test_a_replica_is_refused(redis_clean: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fail_one(redis_clean)
    redis_clean.command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(Unsupported, match="replica"):
            door(alice).plans(KEY, **params())
    finally:
        redis_clean.command("REPLICAOF", "NO", "ONE")


# -- undo --------------------------------------------------------------------------------------------------------------


def test_the_undo_gives_every_field_back_as_it_was(each_redis: RedisServer, alice: Operator, door: OpenDoor) -> None:
    fail_one(each_redis)
    each_redis.command("HSET", f"rq:job:{JOB}", "exc_info", b"\x00old traceback")  # as RQ 1 keeps it
    score = each_redis.command("ZSCORE", "rq:failed:emails", JOB)
    before = record_of(each_redis)
    at = Door(actor=actor_for(alice), server=registered(each_redis))
    run = at.does(KEY, **params())
    assert b"exc_info" not in record_of(each_redis)
    undo = at.does(f"{KEY}.undo", run=run.pk)
    assert undo.state == "done", undo.outcome
    assert record_of(each_redis) == before
    assert each_redis.command("ZSCORE", "rq:failed:emails", JOB) == score
    assert each_redis.command("EXISTS", "rq:queue:emails") == 0


def test_a_job_that_a_worker_has_taken_stays_taken_and_the_undo_says_so(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fail_one(redis_clean)
    at = door(alice)
    run = at.does(KEY, **params())
    redis_clean.command("LPOP", "rq:queue:emails")  # between a worker's pop and its first word on the job
    undo = at.does(f"{KEY}.undo", run=run.pk)
    assert undo.state == "failed" and "worker has taken" in undo.outcome
    assert redis_clean.command("ZCARD", "rq:failed:emails") == 0


def test_a_job_that_was_run_again_has_nothing_to_undo(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    fail_one(redis_clean)
    at = door(alice)
    run = at.does(KEY, **params())
    emails = Queue("emails", connection=redis_clean.client)
    SimpleWorker([emails], connection=redis_clean.client).work(burst=True, logging_level="CRITICAL")
    said = content_of(at.plans(f"{KEY}.undo", run=run.pk))
    assert "among the failed ones already" in said.blocked[0].text


def test_a_job_that_was_queued_once_more_by_somebody_else_is_not_taken_out(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor
) -> None:
    job = fail_one(redis_clean)
    at = door(alice)
    run = at.does(KEY, **params())
    redis_clean.command("HSET", f"rq:job:{job.id}", "enqueued_at", "2031-01-01T00:00:00.000000Z")
    said = content_of(at.plans(f"{KEY}.undo", run=run.pk))
    assert "moved on" in said.blocked[0].text


# -- pages -------------------------------------------------------------------------------------------------------------


def registered(server: RedisServer) -> Server:
    addresses = [{"host": str(server.socket), "port": 6379}]
    return Server.objects.create(key="cache", kind="redis", environment="dev", addresses=addresses)


def page_of(server: RedisServer, client: Client, query: str) -> str:
    queue = queue_of(server, b"emails")
    return client.get(f"/servers/cache/queues/rq/{queue.ref}/{query}").content.decode()


def test_every_failed_job_has_its_button_and_others_have_none(
    redis_clean: RedisServer, alice: Operator, bob: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    fail_one(redis_clean)
    fail_one(redis_clean, "second")
    Queue("emails", connection=redis_clean.client).enqueue(work.greet)
    server = registered(redis_clean)
    button = start_url(ACTION, server, {})
    page = page_of(redis_clean, as_operator(alice), "?state=failed")
    assert page.count(button) == 2
    assert button not in page_of(redis_clean, as_operator(alice), "?state=ready")
    assert button not in page_of(redis_clean, as_operator(bob), "?state=failed"), "a viewer may not"


def test_the_opened_job_has_the_button_and_pressing_it_leads_to_a_plan(
    redis_clean: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client], private_folders: None
) -> None:
    from apps.engine.text import ref

    fail_one(redis_clean)
    server = registered(redis_clean)
    client = as_operator(alice)
    opened = page_of(redis_clean, client, f"?state=failed&job={ref(JOB.encode())}")
    assert opened.count(start_url(ACTION, server, {})) == 2
    asked = {"job": ref(JOB.encode()), "queue": ref(b"emails"), "db": "0"}
    answer = client.post(start_url(ACTION, server, {}), asked, follow=True)
    assert "Put this job back" in answer.content.decode()
