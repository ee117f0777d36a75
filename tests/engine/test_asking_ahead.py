"""A question may be sent before its answer is taken; nobody else ever takes that answer for theirs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.errors import Gone
from tests.real_servers import RedisServer
from tests.targets import redis_target


def test_the_answers_come_when_they_are_asked_for(redis_clean: RedisServer) -> None:
    redis_clean.command("SET", "a", "1")
    with redis_node(redis_target(redis_clean)) as node:
        node.send([("GET", "a"), ("LLEN", "a")])
        text, refused = node.receive()
        assert (text, type(refused), node.sent) == (b"1", Gone, 2)
        assert node.command("GET", "a") == b"1"


def _walks_off(node: RedisNode) -> None:
    node.send([("GET", "secret")])


def _fails(node: RedisNode) -> None:
    node.send([("GET", "secret")])
    raise Gone("Something else was refused.")


@pytest.mark.parametrize("leaving", [_walks_off, _fails])
def test_an_answer_that_nobody_took_is_left_with_its_connection(
    leaving: Callable[[RedisNode], None], redis_clean: RedisServer
) -> None:
    redis_clean.command("MSET", "secret", "sesame", "open", "1")
    target = redis_target(redis_clean)
    try:
        with redis_node(target) as node:
            leaving(node)
    except Gone:
        pass
    with redis_node(target) as other:
        assert other is not node
        assert other.command("GET", "open") == b"1"
