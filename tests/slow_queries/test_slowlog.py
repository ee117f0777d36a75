"""The slow log, command statistics and latency events of a real server."""

from __future__ import annotations

import pytest

from apps.engine.errors import NotPermitted
from apps.engine.target import Target
from apps.slow_queries.reads import slowlog
from apps.slow_queries.reads.commands import command_statistics, latency
from apps.slow_queries.reads.slowlog import MOST_ENTRIES, Settings, grouped, slow_log
from tests.real_servers import RedisServer
from tests.targets import redis_target


def log_everything(server: RedisServer) -> None:
    """Every command is slow enough from here on; the entries so far are gone."""
    server.command("CONFIG", "SET", "slowlog-log-slower-than", "0")
    server.command("SLOWLOG", "RESET")


def stop_logging(server: RedisServer) -> None:
    server.command("CONFIG", "SET", "slowlog-log-slower-than", "1000000")


def test_slow_commands_are_grouped_by_shape(each_redis: RedisServer) -> None:
    each_redis.command("CLIENT", "SETNAME", "checkout")
    each_redis.command("SADD", "tag:1", *range(1000))
    log_everything(each_redis)
    for number in range(5):
        each_redis.command("SMEMBERS", f"tag:{number}")
    each_redis.command("SET", "secret:1", "the secret")
    stop_logging(each_redis)

    log = slow_log(redis_target(each_redis))
    shapes = {f"{g.shape.name} {g.shape.arguments}".strip(): g for g in grouped(log.entries)}

    assert shapes["SMEMBERS tag:*"].calls_count == 5
    assert shapes["SMEMBERS tag:*"].shape.effect == "whole key"
    assert shapes["SMEMBERS tag:*"].clients == (b"checkout",)
    assert shapes["SMEMBERS tag:*"].total_s == pytest.approx(sum(e.took_s for e in shapes["SMEMBERS tag:*"].entries))
    assert sum(group.share_ratio for group in shapes.values()) == pytest.approx(1)
    assert shapes["SET secret:*"].entries[0].words == (b"SET", b"secret:1", b"the secret")
    assert shapes["SET secret:*"].entries[0].arguments_bytes == len("secret:1the secret")


def test_reading_is_bounded_and_tells_what_is_kept(redis_clean: RedisServer) -> None:
    redis_clean.command("CONFIG", "SET", "slowlog-max-len", "500")
    log_everything(redis_clean)
    for _ in range(200):
        redis_clean.command("PING")
    stop_logging(redis_clean)
    log = slow_log(redis_target(redis_clean))
    redis_clean.command("CONFIG", "SET", "slowlog-max-len", "128")
    assert len(log.entries) == MOST_ENTRIES
    assert log.kept_count >= 200
    assert log.commands_sent == 3
    assert log.settings is not None
    assert log.settings.most_entries == 500


def test_reading_writes_nothing(redis_clean: RedisServer) -> None:
    redis_clean.command("SET", "k", "v")
    before = redis_clean.command("INFO", "persistence")["rdb_changes_since_last_save"]
    slow_log(redis_target(redis_clean))
    command_statistics(redis_target(redis_clean))
    latency(redis_target(redis_clean))
    after = redis_clean.command("INFO", "persistence")["rdb_changes_since_last_save"]
    assert before == after
    assert redis_clean.command("DBSIZE") == 1


def test_a_huge_command_is_counted_in_full(redis_clean: RedisServer) -> None:
    log_everything(redis_clean)
    redis_clean.command("MSET", *[part for n in range(100) for part in (f"k:{n}", "x" * 1000)])
    stop_logging(redis_clean)
    entry = next(e for e in slow_log(redis_target(redis_clean)).entries if e.shape.name == "MSET")
    assert entry.arguments_count == 200
    assert len(entry.words) < 40
    assert entry.arguments_bytes > 15_000


def test_an_account_without_config_reads_the_log_and_no_settings(redis_clean: RedisServer) -> None:
    redis_clean.command(
        "ACL", "SETUSER", "watcher", "on", ">pw", "-@all", "+slowlog|get", "+slowlog|len", "+client|setname"
    )
    log = slow_log(redis_target(redis_clean, username="watcher", password="pw"))
    assert log.settings is None
    assert isinstance(log.settings_error, NotPermitted)
    assert log.settings_error.missing == "+config|get"


def test_an_account_without_slowlog_is_told_the_rule(redis_clean: RedisServer) -> None:
    redis_clean.command("ACL", "SETUSER", "nobody", "on", ">pw", "-@all", "+ping")
    with pytest.raises(NotPermitted) as refused:
        slow_log(redis_target(redis_clean, username="nobody", password="pw"))
    assert refused.value.missing == "+slowlog|get"


@pytest.mark.parametrize(
    ("threshold_us", "most", "words"),
    [(-1, 128, "off"), (10_000, 0, "keeps nothing"), (50_000, 128, "Commands between"), (10_000, 64, "Only 64")],
)
def test_unwise_settings_are_said(threshold_us: int, most: int, words: str) -> None:
    assert words in Settings(threshold_us=threshold_us, most_entries=most).finding


def test_wise_settings_are_not_complained_of() -> None:
    assert Settings(threshold_us=10_000, most_entries=128).finding == ""


def test_commands_are_counted_with_failures_and_rejections(each_redis: RedisServer) -> None:
    each_redis.command("SET", "text", "v")
    for _ in range(3):
        each_redis.command("GET", "text")
    with pytest.raises(Exception, match="WRONGTYPE"):
        each_redis.command("LPUSH", "text", "v")
    with pytest.raises(Exception, match="wrong number"):
        each_redis.command("GET")
    found = {command.name: command for command in command_statistics(redis_target(each_redis)).commands}
    assert found["GET"].calls_count == 3
    if each_redis.version >= (6, 2, 0):
        assert found["LPUSH"].failed_count == 1
        assert found["GET"].rejected_count == 1
    assert sum(command.share_ratio for command in found.values()) == pytest.approx(1)
    assert not found["GET"].is_blocking


def test_latency_events_are_told(redis_clean: RedisServer, redis_here: Target) -> None:
    redis_clean.command("DEBUG", "SLEEP", "0.02")
    found = latency(redis_here)
    assert found.threshold_ms == 5
    assert found.events[0].name == b"command"
    assert 0.02 <= found.events[0].longest_s < 2


def test_a_monitor_that_is_off_is_known(redis_clean: RedisServer, redis_here: Target) -> None:
    redis_clean.command("CONFIG", "SET", "latency-monitor-threshold", "0")
    assert latency(redis_here).threshold_ms == 0
    assert latency(redis_here).events == ()


def test_the_documented_rights_are_enough(redis_clean: RedisServer) -> None:
    rules = ("+client|setname", "+slowlog|get", "+slowlog|len", "+config|get", "+info", "+latency|latest")
    redis_clean.command("ACL", "SETUSER", "watcher", "on", ">pw", "-@all", *rules)
    target = redis_target(redis_clean, username="watcher", password="pw")
    redis_clean.command("ACL", "LOG", "RESET")
    slow_log(target)
    command_statistics(target)
    latency(target)
    assert redis_clean.command("ACL", "LOG") == []


def test_a_shape_is_kept_without_what_was_folded_and_up_to_a_number() -> None:
    known = slowlog._shape([b"HGET", b"cart:4711", b"sesame"], 2)
    assert slowlog._shape([b"HGET", b"cart:4711", b"sesame"], 2) is known
    assert slowlog._shape([b"HGET", b"cart:4711sesame"], 1) is not known
    assert not any(b"sesame" in key or b"4711" in key for key in slowlog._shapes)
    assert "4711" not in repr(list(slowlog._shapes.values()))
    for number in range(slowlog.SHAPES_MOST + 10):
        slowlog._shape([b"GET", b"key:%d" % number], 1)
    assert len(slowlog._shapes) <= slowlog.SHAPES_MOST
