"""Reading queues changes nothing on the server: every page is read, then keys, commands and clients are compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rq import Queue as RqQueue
from rq import SimpleWorker

from apps.accounts.models import Operator
from apps.engine.errors import Gone
from apps.engine.text import ref
from apps.queues.fleet import read_failures, read_job, read_page, read_server
from apps.queues.verdicts import Verdict
from tests.queues import work
from tests.queues.celery_app import application
from tests.queues.conftest import redis_target, registered_redis
from tests.queues.test_celery import send, url_of
from tests.real_servers import RedisServer

STATES = (
    "ready",
    "running",
    "scheduled",
    "failed",
    "deferred",
    "finished",
    "canceled",
    "overdue",
    "workers",
    "nonsense",
)
ACCOUNT = (
    "on",
    ">secret",
    "~*",
    "resetchannels",
    "-@all",
    "+@read",
    "+@connection",
    "-@dangerous",
    "+info",
    "+client|list",
    "+command",
)


def furnish(server: RedisServer) -> None:
    """Something in every state, much of it overdue: exactly what the frameworks' own libraries would clean up on reading."""
    emails = RqQueue("emails", connection=server.client)
    emails.enqueue(work.refuse, "ann@example.com")
    SimpleWorker([emails], connection=server.client).work(burst=True, logging_level="CRITICAL")
    emails.enqueue(work.greet)
    lost = emails.enqueue(work.greet)
    server.command("DEL", f"rq:job:{lost.id}")
    server.command("ZADD", "rq:wip:emails", 100, "lost:e1")
    server.command("ZADD", "rq:finished:emails", 100, "expired")
    app = application(url_of(server))
    send(app)
    send(app, priority=9)
    server.command("HSET", "unacked", "t1", "[{}, 0, 0]")
    server.command("ZADD", "unacked_index", time.time() - 90_000, "t1")
    app.close()
    for _ in range(5):
        server.command("XADD", "orders", "*", "a", "b")
    server.command("XGROUP", "CREATE", "orders", "billing", "0")
    server.command("XREADGROUP", "GROUP", "billing", "c1", "COUNT", 2, "STREAMS", "orders", ">")
    server.command("XTRIM", "orders", "MAXLEN", "=", 4)


def written(server: RedisServer) -> dict[str, int]:
    """How often each command that may write was called, by the server's own count."""
    stats = server.client.info("commandstats")
    commands = {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in stats.items()}
    writers = {name if isinstance(name, str) else name.decode() for name in server.command("ACL", "CAT", "write")}
    return {name: calls for name, calls in sorted(commands.items()) if name in writers}


@pytest.mark.django_db
def test_no_page_writes_anything(
    each_redis: RedisServer, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    furnish(each_redis)
    server = registered_redis(each_redis)
    digest, writes = each_redis.command("DEBUG", "DIGEST"), written(each_redis)
    assert writes, "the comparison would prove nothing"
    browser = as_operator(alice)
    pages = 0
    for queue in read_server(redis_target(each_redis)).queues:
        one = queue.snapshot.queue
        for state in STATES:
            address = f"/servers/{server.key}/queues/{one.adapter}/{one.ref}/?state={state}&show=1"
            answer = browser.get(address)
            assert answer.status_code == 200
            page = answer.context.get("page")
            for row in page.value.rows if page and page.value else ():
                assert browser.get(f"{address}&job={ref(row.id)}").status_code == 200
                pages += 1
    for address in ("/queues/", f"/servers/{server.key}/queues/"):
        assert browser.get(address).status_code == 200
    assert pages > 8
    assert written(each_redis) == writes
    assert each_redis.command("DEBUG", "DIGEST") == digest


def test_an_account_that_may_only_read_is_enough(redis_clean: RedisServer) -> None:
    furnish(redis_clean)
    redis_clean.command("ACL", "SETUSER", "looker", *ACCOUNT)
    reading = read_server(redis_target(redis_clean, username="looker", password="secret"))
    assert reading.error is None
    assert reading.problems == ()
    assert {q.snapshot.queue.adapter for q in reading.queues} == {"rq", "celery", "stream"}


def test_the_documented_rights_are_enough_and_no_look_fills_the_acl_log(redis_clean: RedisServer) -> None:
    if redis_clean.version < (7, 0, 0):
        pytest.skip("the documented rule for keys that may be read only came with Redis 7.0")
    furnish(redis_clean)
    text = (Path(__file__).resolve().parent.parent.parent / "docs" / "permissions.md").read_text()
    rule = next(line for line in text.splitlines() if line.startswith("ACL SETUSER signalbox on"))
    redis_clean.command("ACL", "SETUSER", "looker", *rule.replace(">PASSWORD", ">secret").split()[3:])
    target = redis_target(redis_clean, username="looker", password="secret")
    reading = read_server(target)
    assert reading.problems == ()
    assert all(q.verdict is not Verdict.UNKNOWN for q in reading.queues)
    for queue in reading.queues:
        for state in queue.snapshot.states:
            for row in read_page(target, queue.snapshot.queue, state=state.key, start="").rows:
                with suppress(Gone):
                    read_job(target, queue.snapshot.queue, state=state.key, job=row.id, start="")
        read_failures(target, queue.snapshot.queue)
    assert redis_clean.command("ACL", "LOG") == []


@pytest.mark.parametrize(
    ("taken", "lost", "kept"),
    [
        ("-scan", "stream", "rq"),
        ("-info", "", "rq"),
        ("-client|list", "", "celery"),
        ("-sscan", "rq", "stream"),
        ("-xinfo|groups", "stream", "rq"),
        ("-memory|usage", "", "celery"),
    ],
)
def test_a_missing_right_costs_one_figure_and_is_named(
    redis_clean: RedisServer, taken: str, lost: str, kept: str
) -> None:
    if "|" in taken and redis_clean.version < (7, 0, 0):
        pytest.skip("a rule about a subcommand that takes away came with Redis 7.0")
    furnish(redis_clean)
    redis_clean.command("ACL", "SETUSER", "looker", *ACCOUNT, taken)
    reading = read_server(redis_target(redis_clean, username="looker", password="secret"))
    assert reading.error is None
    seen = {q.snapshot.queue.adapter for q in reading.queues}
    assert kept in seen
    assert lost not in seen
    said: list[Any] = [problem.error.message for problem in reading.problems]
    said += [q.snapshot.workers.why for q in reading.queues]
    if taken not in ("-memory|usage",):
        assert any(taken[1:].upper().replace("|", " ") in words for words in said)


def test_keys_that_may_not_be_read_do_not_empty_the_page(redis_clean: RedisServer) -> None:
    furnish(redis_clean)
    redis_clean.command("ACL", "SETUSER", "looker", "on", ">secret", "~rq:*", "+@all")
    reading = read_server(redis_target(redis_clean, username="looker", password="secret"))
    assert [q.snapshot.queue.name for q in reading.queues] == [b"emails"]
    assert reading.problems
