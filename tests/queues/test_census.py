"""A look over the names of a large Redis is bounded, goes on at the next look, and forgets what is gone."""

from __future__ import annotations

import pytest

from apps.engine.connections.redis import redis_node
from apps.engine.contracts.adapter import Marks
from apps.queues import census
from apps.queues.census import CENSUS
from tests.queues.conftest import redis_target
from tests.real_servers import RedisServer


def look(server: RedisServer) -> tuple[Marks, int]:
    target = redis_target(server, database="0")
    with redis_node(target) as node:
        before = node.sent
        marks = CENSUS.marks(node, target, keys_count=int(node.command("DBSIZE")))
        return marks, node.sent - before - 1


def test_one_look_never_walks_a_large_keyspace_and_the_next_goes_on(
    redis_clean: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "FIRST_ROUNDS", 4)
    monkeypatch.setattr(census, "LATER_ROUNDS", 2)
    redis_clean.command("DEBUG", "POPULATE", 6000, "key", 1)
    redis_clean.command("XGROUP", "CREATE", "stream", "billing", "0", "MKSTREAM")
    first, sent = look(redis_clean)
    assert sent == 8 + len(first.streams), "four rounds of two, and a question for each stream that was met"
    assert not first.complete
    assert 0 < first.looked_count < 6001
    looks = 1
    while not look(redis_clean)[0].complete:
        looks += 1
        assert looks < 10
    marks, sent = look(redis_clean)
    assert marks.streams == {b"stream"}
    assert sent == 0, "after a whole walk there is a rest"


def test_what_is_gone_is_forgotten_after_the_next_walk(
    redis_clean: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "REST_S", 0.0)
    redis_clean.command("XGROUP", "CREATE", "stream", "billing", "0", "MKSTREAM")
    redis_clean.command("SADD", "shop:_kombu.binding.celery", "x")
    marks, _ = look(redis_clean)
    assert marks.streams == {b"stream"}
    assert marks.kombu_tables == {b"shop:_kombu.binding.celery"}
    redis_clean.command("FLUSHALL")
    assert look(redis_clean)[0].streams == frozenset()


def test_thousands_of_results_and_logs_do_not_hide_a_stream_with_a_group(redis_clean: RedisServer) -> None:
    pipe = redis_clean.client.pipeline(transaction=False)
    for number in range(2000):
        pipe.xadd(f"rq:results:{number}", {"type": "1"})
        pipe.xadd(f"bull:{number}:events", {"event": "waiting"})
    pipe.execute()
    redis_clean.command("XGROUP", "CREATE", "orders", "billing", "0", "MKSTREAM")
    marks, _ = look(redis_clean)
    assert marks.complete
    assert marks.streams == {b"orders"}
