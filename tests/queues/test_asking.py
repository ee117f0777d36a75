"""Lines of questions share round trips, and each keeps its own answers and refusals."""

from __future__ import annotations

import pytest

from apps.engine.connections.redis import redis_node
from apps.engine.errors import Gone
from apps.queues import reads
from apps.queues.asking import Asking, Line, asked, in_step, unrefused
from apps.queues.census import CENSUS
from apps.queues.fleet import read_server
from benchmarks.waiting import waiting
from tests.queues.conftest import redis_target
from tests.real_servers import RedisServer


def _followed(key: bytes, steps: int) -> Asking[bytes]:
    """From key to key, as each value names the next."""
    for _ in range(steps):
        (key,) = unrefused((yield [("GET", key)]))
    return key


def _lengths(keys: list[bytes]) -> Asking[list[int]]:
    return unrefused((yield [("LLEN", key) for key in keys]))


def test_lines_of_different_length_share_the_trips_of_the_longest(redis_clean: RedisServer) -> None:
    redis_clean.command("MSET", "a", "b", "b", "c", "c", "d", "x", "y")
    long, short, none = Line(_followed(b"a", 3)), Line(_followed(b"x", 1)), Line(_lengths([]))
    with redis_node(redis_target(redis_clean)) as node, waiting() as clock:
        in_step(node, long, short, none)
    assert (long.result, short.result, none.result) == (b"d", b"y", [])
    assert clock.trips_count == 3


def test_a_refused_question_ends_the_line_that_does_not_expect_it(redis_clean: RedisServer) -> None:
    redis_clean.command("SET", "text", "1")
    with redis_node(redis_target(redis_clean)) as node:
        with pytest.raises(Gone):
            asked(node, _lengths([b"text"]))
        assert node.command("GET", "text") == b"1", "the connection is still in step with its answers"


def test_a_set_of_names_that_is_none_has_no_members_only_where_that_is_expected(redis_clean: RedisServer) -> None:
    redis_clean.command("SET", "rq:queues", "1")
    redis_clean.command("SADD", "rq:workers", "w")
    keys = [b"rq:queues", b"rq:workers"]
    with redis_node(redis_target(redis_clean)) as node:
        assert asked(node, reads.some_members(keys, others_are_empty=True)) == [set(), {b"w"}]
        with pytest.raises(Gone):
            asked(node, reads.some_members(keys))


def test_many_queues_take_as_many_round_trips_as_one(redis_clean: RedisServer) -> None:
    def trips(queues_count: int) -> int:
        for number in range(queues_count):
            redis_clean.command("SADD", "rq:queues", f"rq:queue:q{number}")
            redis_clean.command("RPUSH", f"rq:queue:q{number}", "job")
        read_server(redis_target(redis_clean))
        with waiting() as clock:
            assert len(read_server(redis_target(redis_clean)).queues) == queues_count
        return clock.trips_count

    assert trips(1) == trips(40)


def _with_rq(server: RedisServer) -> None:
    server.command("SADD", "rq:queues", "rq:queue:mail")
    server.command("RPUSH", "rq:queue:mail", "job")


def _with_celery(server: RedisServer) -> None:
    server.command("SADD", "_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    server.command("RPUSH", "celery", "{}")


def _with_a_group(server: RedisServer) -> None:
    server.command("XADD", "events", "*", "a", "1")
    server.command("XGROUP", "CREATE", "events", "readers", "0")


def test_frameworks_share_the_round_trips_of_the_one_that_asks_longest(redis_clean: RedisServer) -> None:
    def trips() -> int:
        CENSUS.forget()
        read_server(redis_target(redis_clean))
        with waiting() as clock:
            read_server(redis_target(redis_clean))
        return clock.trips_count

    alone = []
    for some in (_with_rq, _with_celery, _with_a_group):
        redis_clean.flush()
        some(redis_clean)
        alone.append(trips())
    redis_clean.flush()
    for some in (_with_rq, _with_celery, _with_a_group):
        some(redis_clean)
    assert trips() == max(alone)
    assert {each.snapshot.queue.adapter for each in read_server(redis_target(redis_clean)).queues} == {
        "rq",
        "celery",
        "stream",
    }


def test_a_framework_that_is_refused_hides_no_other(redis_clean: RedisServer) -> None:
    for some in (_with_rq, _with_celery, _with_a_group):
        some(redis_clean)
    redis_clean.command("SET", "unacked", "no hash")
    CENSUS.forget()
    reading = read_server(redis_target(redis_clean))
    assert [problem.what for problem in reading.problems] == ["Celery in database 0"]
    assert {each.snapshot.queue.adapter for each in reading.queues} == {"rq", "stream"}


def test_the_servers_clock_is_asked_once_in_a_while(redis_clean: RedisServer) -> None:
    with redis_node(redis_target(redis_clean)) as node:
        first = reads.now_at(node)
        sent = node.sent
        assert 0 <= reads.now_at(node) - first < 1
        assert node.sent == sent
