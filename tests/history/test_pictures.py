"""What charts show of real servers that are restarted, reset, stopped, and of a console whose clock is set."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.engine.embedded.redis import EmbeddedRedis
from apps.history import series
from apps.history.models import LastKnown
from apps.history.reads import state_of
from apps.history.sampler import sample_due
from apps.servers.models import Server
from tests.history.conftest import register, register_redis
from tests.history.looks import looks
from tests.real_servers import RedisServer, connected
from tests.targets import no_old_connections  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_old_connections")]


def busy_look(server: RedisServer) -> None:
    """A hundred commands, and a look a second later than the last: a second has one point."""
    for _ in range(100):
        server.command("GET", "nothing")
    time.sleep(1.05)
    looks()


def picture(server: Server, *names: str) -> list[list[float | None]]:
    now = time.time()
    chart = series.read(server, names, begin_s=now - 600, end_s=now + 600)
    return [list(chart.lines[name].mean) for name in names]


def known(line: list[float | None]) -> list[bool]:
    return [value is not None for value in line]


def test_a_restart_has_no_rate_and_everything_else(own_redis: EmbeddedRedis) -> None:
    server, client = register("own", "redis", "127.0.0.1", own_redis.port), connected(own_redis)
    for _ in range(3):
        busy_look(client)
    own_redis.stop()
    own_redis.start()
    for _ in range(2):
        busy_look(client)
    ops, memory = picture(server, "ops_per_s", "used_memory_bytes")
    assert known(ops) == [False, True, True, False, True]
    assert known(memory) == [True] * 5
    assert all(value > 50 for value in ops if value is not None)


def test_a_reset_of_the_statistics_has_no_rate(redis_clean: RedisServer) -> None:
    server = register_redis(redis_clean)
    for _ in range(2):
        busy_look(redis_clean)
    redis_clean.command("CONFIG", "RESETSTAT")
    for _ in range(2):
        busy_look(redis_clean)
    (*_, before, at_reset, after), _ = picture(server, "ops_per_s", "keys_count")
    assert before is not None and before > 50
    assert at_reset is None
    assert after is not None and after > 50


def test_a_server_that_stops_keeps_its_last_figures_and_the_others_go_on(
    own_redis: EmbeddedRedis, redis_clean: RedisServer
) -> None:
    stops, goes_on = register("own", "redis", "127.0.0.1", own_redis.port), register_redis(redis_clean)
    connected(own_redis).command("SET", "a", "1")
    looks()
    seen_at = LastKnown.objects.get(server=stops).figures_at
    own_redis.stop()
    for _ in range(2):
        busy_look(redis_clean)
    state = state_of(stops)
    assert (state.signal, state.figures["keys_count"], state.figures_at) == ("down", 1, seen_at)
    assert len(picture(stops, "keys_count")[0]) == 1
    assert len(picture(goes_on, "keys_count")[0]) == 3


@pytest.mark.parametrize("moved_s", [3600, -3600])
def test_a_step_of_the_clock_makes_no_false_rate(
    redis_clean: RedisServer, monkeypatch: pytest.MonkeyPatch, moved_s: int
) -> None:
    server = register_redis(redis_clean)
    for _ in range(2):
        busy_look(redis_clean)
    now, time_ = timezone.now, time.time
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(seconds=moved_s))
    monkeypatch.setattr(time, "time", lambda: time_() + moved_s)
    busy_look(redis_clean)
    figures = LastKnown.objects.get(server=server).figures
    assert 50 < figures["ops_per_s"] < 200


def test_a_server_is_due_again_after_the_clock_was_set_back(redis_clean: RedisServer) -> None:
    register_redis(redis_clean)
    sample_due()
    LastKnown.objects.update(tried_at=timezone.now() + timedelta(hours=1))
    assert sample_due().asked_count == 1
