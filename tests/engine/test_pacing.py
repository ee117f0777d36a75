"""The pace: pages get smaller before rests get longer, and a server that suffers for long ends the run."""

from __future__ import annotations

import time

import pytest

from apps.engine.connections.redis import redis_node
from apps.engine.pacing import LARGEST_PAGE, SMALLEST_PAGE, Pace, Pacer, Strained
from tests.operations.door import register_redis
from tests.real_servers import RedisServer


def learn(pace: Pace, felt_ms: float, *, now: float = 0.0, busy_ms: float | None = None) -> float:
    return pace.learn(felt_s=felt_ms / 1000, busy_s=(busy_ms or felt_ms) / 1000, now=now)


def test_pages_grow_while_others_feel_nothing() -> None:
    pace = Pace(budget_ratio=1.0)
    for _ in range(20):
        assert learn(pace, 0.1) == 0.0
    assert pace.page_size == LARGEST_PAGE


def test_pages_shrink_before_anything_else_when_others_wait() -> None:
    pace = Pace(budget_ratio=1.0)
    sizes = []
    for _ in range(6):
        learn(pace, 3.0)
        sizes.append(pace.page_size)
    assert sizes == [25, 12, 10, 10, 10, 10] and not pace.slowed
    assert pace.page_size == SMALLEST_PAGE


def test_the_rest_keeps_to_the_budget() -> None:
    assert learn(Pace(budget_ratio=0.5), 0.1, busy_ms=2.0) == pytest.approx(0.002)
    assert learn(Pace(budget_ratio=0.05), 0.1, busy_ms=1.0) == pytest.approx(0.019)


def test_a_server_that_suffers_rests_four_times_as_long_and_after_half_a_minute_the_run_ends() -> None:
    pace = Pace(budget_ratio=0.5, page_size=SMALLEST_PAGE)
    assert learn(pace, 8.0, now=0.0) == pytest.approx(0.032)
    learn(pace, 8.0, now=29.0)
    with pytest.raises(Strained, match="5 ms"):
        learn(pace, 8.0, now=31.0)


def test_one_good_page_begins_the_half_minute_anew() -> None:
    pace = Pace(budget_ratio=0.5, page_size=SMALLEST_PAGE)
    learn(pace, 8.0, now=0.0)
    learn(pace, 0.1, now=20.0)
    pace.page_size = SMALLEST_PAGE
    learn(pace, 8.0, now=25.0)
    learn(pace, 8.0, now=50.0)


@pytest.mark.django_db
def test_what_others_feel_is_measured_on_a_second_connection(redis_clean: RedisServer) -> None:
    """A command that holds the server for 30 ms is felt by the PING right behind it."""
    target = register_redis(redis_clean).target()
    script = "local t = redis.call('TIME')[2] local n = 0 while n < 2000000 do n = n + 1 end return n"
    with redis_node(target, fresh=True) as node, Pacer(target, budget_ratio=0.5) as pacer:
        pacer.page(node, [("PING",)])
        pacer.rest()
        quiet = pacer.pace.felt[-1]
        begun = time.perf_counter()
        pacer.page(node, [("EVAL", script, 0)])
        took = time.perf_counter() - begun
        rested = pacer.rest()
        assert pacer.pace.felt[-1] > quiet and pacer.pace.felt[-1] > 0.5 * took
        assert rested >= 0.5 * took
