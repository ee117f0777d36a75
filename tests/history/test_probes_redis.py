"""The probes of a Redis against every version at hand: what they tell, what they cost, and what they keep to themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import redis

from apps.engine.contracts.probe import Probe, Value, bare, label_of
from apps.engine.errors import NotPermitted
from apps.history.probes import redis_clients, redis_commands, redis_config, redis_info, redis_latency
from apps.history.rates import derived
from apps.history.remembered import REMEMBERED
from tests.history.waiting import number
from tests.real_servers import RedisServer
from tests.targets import no_old_connections, redis_target

__all__ = ["no_old_connections"]

ALL = (redis_info, redis_commands, redis_latency, redis_clients, redis_config)
READING = {"ping", "info", "client", "client|list", "client|setname", "config", "config|get", "select", "auth"}


def rates(probe: Probe, now: Mapping[str, Value], before: Mapping[str, Value]) -> dict[str, float | None]:
    return derived(probe, now, before, elapsed_s=10)


def commands_of(server: RedisServer) -> dict[str, int]:
    """How often each command was called, by the server's own account."""
    told = server.command("INFO", "commandstats")
    return {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in told.items()}


@contextmanager
def subscriber(server: RedisServer) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(server.socket), protocol=2)
    listening = client.pubsub()  # type: ignore[no-untyped-call]
    listening.subscribe("news")
    listening.get_message(timeout=2)
    try:
        yield client
    finally:
        listening.close()
        client.close()


def test_what_is_kept_and_what_of_it_expires_is_told(each_redis: RedisServer) -> None:
    empty = redis_info.read(redis_target(each_redis))
    assert (empty["keys_count"], empty["expiring_keys_ratio"]) == (0, None)
    each_redis.command("MSET", "a", "1", "b", "2", "c", "3")
    each_redis.command("SET", "d", "4", "EX", "100")
    seen = redis_info.read(redis_target(each_redis))
    assert (seen["keys_count"], seen["expiring_keys_ratio"]) == (4, 0.25)
    assert number(seen, "changes_since_save_count") >= 4
    assert number(seen, "used_memory_peak_bytes") >= number(seen, "used_memory_bytes")
    assert number(seen, "used_memory_rss_bytes") > 1_000_000
    assert number(seen, "fragmentation_ratio") > 0
    assert 0 <= number(seen, "last_save_age_s") < 3600
    assert (seen["append_file_bytes"], seen["blocked_clients_count"]) == (None, 0)


def test_traffic_becomes_rates(each_redis: RedisServer) -> None:
    target = redis_target(each_redis)
    before = redis_info.read(target)
    for _ in range(50):
        each_redis.command("SET", "a", "x" * 1000)
    each_redis.command("SET", "b", "1", "PX", "1")
    time.sleep(0.02)
    each_redis.command("GET", "b")
    redis.Redis(unix_socket_path=str(each_redis.socket)).ping()
    per_s = rates(redis_info.PROBE, redis_info.read(target), before)
    assert number(per_s, "ops_per_s") >= 5.2
    assert number(per_s, "net_in_bytes_per_s") > 5000
    assert number(per_s, "net_out_bytes_per_s") > 25
    assert (per_s["expired_per_s"], per_s["evicted_per_s"]) == (0.1, 0)
    assert number(per_s, "connections_per_s") >= 0.1
    assert 0 < number(per_s, "cpu_ratio") < 1
    assert per_s["rejected_connections_per_s"] == 0


def test_evictions_are_counted(redis_clean: RedisServer) -> None:
    target = redis_target(redis_clean)
    redis_clean.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    before = redis_info.read(target)
    redis_clean.command("CONFIG", "SET", "maxmemory", int(number(before, "used_memory_bytes")) + 200_000)
    for key in range(100):
        redis_clean.command("SET", key, "x" * 10_000)
    seen = redis_info.read(target)
    redis_clean.command("CONFIG", "SET", "maxmemory", "0")
    assert number(rates(redis_info.PROBE, seen, before), "evicted_per_s") > 1
    assert seen["eviction"] == "allkeys-random"


def test_an_append_only_file_and_its_fork_are_told(each_redis: RedisServer) -> None:
    each_redis.command("CONFIG", "SET", "appendonly", "yes")
    try:
        until = time.monotonic() + 10
        while each_redis.command("INFO", "persistence")["aof_rewrite_in_progress"] and time.monotonic() < until:
            time.sleep(0.05)
        each_redis.command("SET", "a", "1")
        seen = redis_info.read(redis_target(each_redis))
    finally:
        each_redis.command("CONFIG", "SET", "appendonly", "no")
    assert number(seen, "append_file_bytes") > 0
    assert 0 < number(seen, "last_fork_s") < 5
    assert seen["append_status"] == "ok"


def test_a_replica_shows_on_both_sides(redis_servers_all: tuple[RedisServer, ...]) -> None:
    """The older version leads: a newer one reads its snapshot."""
    if len(redis_servers_all) < 2:
        pytest.skip("needs two servers")
    primary, replica = sorted(redis_servers_all, key=lambda each: each.version)[:2]
    primary.flush()
    replica.flush()
    before = redis_info.read(redis_target(primary))
    replica.command("REPLICAOF", "127.0.0.1", primary.port)
    try:
        until = time.monotonic() + 15
        while redis_info.read(redis_target(replica)).get("link") != "up" and time.monotonic() < until:
            time.sleep(0.1)
        led, leading = redis_info.read(redis_target(replica)), redis_info.read(redis_target(primary))
        clients = redis_clients.read(redis_target(primary))
    finally:
        replica.command("REPLICAOF", "NO", "ONE")
    assert (led["role"], led["link"]) == ("replica", "up")
    assert leading["connected_replicas_count"] == 1
    assert number(rates(redis_info.PROBE, leading, before), "full_syncs_per_s") >= 0.1
    assert clients["clients_by_kind_count[replica]"] == 1


def test_calls_and_time_are_told_by_command(each_redis: RedisServer) -> None:
    target = redis_target(each_redis)
    each_redis.command("GET", "a")
    before = redis_commands.read(target)
    for _ in range(40):
        each_redis.command("GET", "a")
    per_s = rates(redis_commands.PROBE, redis_commands.read(target), before)
    assert per_s["calls_per_s[get]"] == 4.0
    assert 0 < number(per_s, "busy_ratio[get]") < 0.01
    assert "calls_per_s[lrange]" not in per_s


def test_refused_commands_are_told_by_their_code(each_redis: RedisServer) -> None:
    target = redis_target(each_redis)
    each_redis.command("SET", "text", "x")
    with pytest.raises(redis.ResponseError):
        each_redis.command("LPUSH", "text", "x")
    before = redis_commands.read(target)
    with pytest.raises(redis.ResponseError):
        each_redis.command("LPUSH", "text", "x")
    with pytest.raises(redis.ResponseError):
        each_redis.command("GET")
    per_s = rates(redis_commands.PROBE, redis_commands.read(target), before)
    assert per_s["errors_per_s[WRONGTYPE]"] == 0.1
    assert per_s["failed_calls_per_s"] == 0.1
    assert per_s["rejected_calls_per_s"] == 0.1


def test_a_reset_of_the_statistics_gives_no_rate(each_redis: RedisServer) -> None:
    target = redis_target(each_redis)
    for _ in range(20):
        each_redis.command("GET", "a")
    before = redis_commands.read(target)
    each_redis.command("CONFIG", "RESETSTAT")
    each_redis.command("GET", "a")
    assert set(rates(redis_commands.PROBE, redis_commands.read(target), before).values()) == {None}


def test_codes_that_a_script_makes_up_are_bounded_and_harmless(redis_clean: RedisServer) -> None:
    if redis_clean.version < (7, 0, 0):
        pytest.skip("such a version counts its own codes only")
    for number_of_code in range(40):
        with pytest.raises(redis.ResponseError):
            redis_clean.command("EVAL", "return redis.error_reply(ARGV[1])", 0, f"<b>{number_of_code}\x1b[31m no")
    seen = redis_commands.read(redis_target(redis_clean))
    labels = [label_of(name) for name in seen if bare(name) == "errors_total"]
    assert 1 < len(labels) <= redis_commands.MOST_ERRORS
    assert all(label.isprintable() for label in labels)


def test_at_most_forty_commands_are_told(redis_clean: RedisServer) -> None:
    one_key = """GET STRLEN TTL PTTL TYPE EXISTS LLEN LPOP RPOP SCARD SMEMBERS SPOP SRANDMEMBER ZCARD HLEN HGETALL HKEYS HVALS XLEN
    DUMP PERSIST TOUCH UNLINK DEL GETDEL MGET BITCOUNT PFCOUNT WATCH HRANDFIELD ZRANDMEMBER ZPOPMIN ZPOPMAX EXPIRETIME PEXPIRETIME"""
    two = "ECHO SISMEMBER SMISMEMBER HGET HEXISTS HSTRLEN LINDEX ZSCORE ZRANK ZREVRANK SDIFF SUNION SINTER HMGET"
    for words in ([name, "none"] for name in one_key.split()):
        redis_clean.command(*words)
    for name in two.split():
        redis_clean.command(name, *["none", "1"][: 1 if name == "ECHO" else 2])
    seen = redis_commands.read(redis_target(redis_clean))
    assert sum(bare(name) == "calls_total" for name in seen) == redis_commands.MOST_COMMANDS


def test_ten_round_trips_are_measured(each_redis: RedisServer) -> None:
    before = commands_of(each_redis).get("ping", 0)
    seen = redis_latency.read(redis_target(each_redis))
    assert commands_of(each_redis)["ping"] - before == 10
    assert 0 < number(seen, "trip_p50_s") <= number(seen, "trip_most_s") < 1


def test_a_slow_server_is_not_asked_ten_times(redis_clean: RedisServer) -> None:
    target = redis_target(redis_clean)
    redis_latency.read(target)
    asleep = threading.Thread(target=redis_clean.command, args=("DEBUG", "SLEEP", "1.2"))
    asleep.start()
    time.sleep(0.1)
    before = time.monotonic()
    seen = redis_latency.read(target)
    asleep.join()
    assert number(seen, "trip_most_s") > 0.8
    assert time.monotonic() - before < 3
    assert commands_of(redis_clean)["ping"] < 20


def test_clients_are_told_by_kind_and_source(each_redis: RedisServer) -> None:
    REMEMBERED.forget()
    target = redis_target(each_redis)
    named = redis.Redis(unix_socket_path=str(each_redis.socket), client_name="<b>mailer</b>")
    named.ping()
    waiting = redis.Redis(unix_socket_path=str(each_redis.socket), client_name="waiter")
    thread = threading.Thread(target=waiting.execute_command, args=("BLPOP", "nothing", "2"))
    thread.start()
    with subscriber(each_redis):
        time.sleep(0.1)
        seen = redis_clients.read(target)
    each_redis.command("LPUSH", "nothing", "x")
    thread.join()
    named.close()
    waiting.close()
    assert (seen["clients_by_kind_count[subscriber]"], seen["clients_by_kind_count[blocked]"]) == (1, 1)
    assert seen["clients_by_kind_count[replica]"] == 0
    assert seen["clients_by_source_count[<b>mailer</b>]"] == 1
    assert number(seen, "clients_by_source_count[signalbox]") == 1
    assert number(seen, "output_buffers_bytes") >= number(seen, "output_buffer_most_bytes") >= 0
    time.sleep(0.1)
    assert redis_clients.read(target)["clients_by_source_count[<b>mailer</b>]"] == 0


def test_a_client_without_a_name_is_told_by_its_user_or_its_address(each_redis: RedisServer) -> None:
    REMEMBERED.forget()
    each_redis.command("ACL", "SETUSER", "billing", "on", "nopass", "+ping")
    user = redis.Redis(host="127.0.0.1", port=each_redis.port, username="billing", password="x", protocol=2)
    plain = redis.Redis(host="127.0.0.1", port=each_redis.port, protocol=2)
    user.ping()
    plain.ping()
    seen = redis_clients.read(redis_target(each_redis))
    user.close()
    plain.close()
    assert seen["clients_by_source_count[billing]"] == 1
    assert seen["clients_by_source_count[127.0.0.1]"] == 1


def test_too_many_clients_are_not_listed(redis_clean: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_clients, "MOST_CLIENTS", 1)
    before = commands_of(redis_clean)
    seen = redis_clients.read(redis_target(redis_clean))
    assert set(seen.values()) == {None}
    assert commands_of(redis_clean).get("client|list") == before.get("client|list")


def test_every_setting_is_told_once_and_a_change_shows(each_redis: RedisServer) -> None:
    target = redis_target(each_redis)
    before = redis_config.read(target)
    each_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    now = redis_config.read(target)
    changed = {name for name in now if now[name] != before[name]}
    assert changed == {"maxmemory-policy"}
    assert (before["maxmemory-policy"], now["maxmemory-policy"]) == ("noeviction", "allkeys-lru")
    assert 100 < len(now) <= 500
    assert "replica-priority" in now
    assert "slave-priority" not in now


def test_a_secret_of_the_settings_shows_that_it_changed_and_no_more(each_redis: RedisServer) -> None:
    target = redis_target(each_redis)
    assert redis_config.read(target)["masterauth"] == "not set"
    each_redis.command("CONFIG", "SET", "masterauth", "correct horse")
    first = redis_config.read(target)
    each_redis.command("CONFIG", "SET", "masterauth", "battery staple")
    second = redis_config.read(target)
    each_redis.command("CONFIG", "SET", "masterauth", "")
    assert str(first["masterauth"]).startswith("set, ")
    assert first["masterauth"] != second["masterauth"]
    assert "horse" not in str(first)
    assert "staple" not in str(second)


def test_reading_sends_reading_commands_only_and_writes_nothing(each_redis: RedisServer) -> None:
    each_redis.command("SET", "a", "1")
    changes = each_redis.command("INFO", "persistence")["rdb_changes_since_last_save"]
    each_redis.command("CONFIG", "RESETSTAT")
    for probe in ALL:
        probe.read(redis_target(each_redis))
    assert set(commands_of(each_redis)) - {"config|resetstat"} <= READING
    assert each_redis.command("INFO", "persistence")["rdb_changes_since_last_save"] == changes


@pytest.mark.parametrize(
    ("probe", "rules", "missing"),
    [
        (redis_commands, (), "+info"),
        (redis_clients, ("+info",), "+client|list"),
        (redis_config, ("+info",), "+config|get"),
    ],
    ids=lambda each: each.__name__.rpartition(".")[2] if hasattr(each, "__name__") else None,
)
def test_a_probe_that_may_not_ask_names_the_rule(
    each_redis: RedisServer, probe: object, rules: tuple[str, ...], missing: str
) -> None:
    each_redis.command("ACL", "SETUSER", "poor", "on", "nopass", "+ping", "+client|setname", *rules)
    with pytest.raises(NotPermitted) as refused:
        probe.read(redis_target(each_redis, username="poor", password="x"))  # type: ignore[attr-defined]
    assert refused.value.missing == missing
