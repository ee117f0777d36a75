"""Looking through a keyspace: all keys are found, each once, in bounded steps, and nothing is changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from apps.engine.connections.addresses import AddressPolicy
from apps.engine.errors import NotPermitted
from apps.engine.target import Address, Kind, Target
from apps.keyspace.glob import compiled
from apps.keyspace.positions import Position, position
from apps.keyspace.reads.look import Look, look
from apps.keyspace.reads.rows import rows
from apps.servers.models import Server
from tests.keyspace.conftest import limited
from tests.real_servers import RedisServer

READING = {
    "scan",
    "dbsize",
    "info",
    "type",
    "pttl",
    "memory|usage",
    "select",
    "client|setname",
    "config|resetstat",
    "memory",
}


def fill(server: RedisServer, count: int, *, prefix: str = "k", database: int = 0) -> None:
    pipe = server.client.pipeline(transaction=False)
    server.command("SELECT", database)
    for number in range(count):
        pipe.set(f"{prefix}:{number}", "v")
    pipe.execute()
    server.command("SELECT", 0)


def whole(target: Target, pattern: bytes = b"*", *, key_type: str = "") -> tuple[list[bytes], list[Look]]:
    """Every stretch to the end, each continued from the text of the one before."""
    names: list[bytes] = []
    stretches: list[Look] = []
    after = ""
    while not stretches or not stretches[-1].finished:
        stretches.append(look(target, glob=compiled(pattern), key_type=key_type, position=position(after)))
        names += stretches[-1].names
        after = stretches[-1].after.text()
    return names, stretches


def test_every_key_is_found_once_over_several_stretches(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 25_000)
    names, stretches = whole(target)
    assert Counter(names) == Counter(b"k:%d" % number for number in range(25_000))
    assert len(stretches) >= 3
    assert stretches[-1].after.looked_count == stretches[-1].total_count == 25_000


def test_one_stretch_looks_at_ten_thousand_and_asks_for_500_at_most(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 20_000)
    redis_clean.command("CONFIG", "RESETSTAT")
    seen = look(target, glob=compiled(b"*7"), position=Position(), budget_s=10)
    assert 10_000 <= seen.after.looked_count <= 10_100
    assert not seen.finished
    assert all(name.endswith(b"7") for name in seen.names)
    assert seen.after.found_count == len(seen.names)
    assert 20 <= seen.steps_count <= 40
    redis_clean.command("CONFIG", "SET", "slowlog-log-slower-than", "0")
    look(target, glob=compiled(b"*7"), position=Position())
    asked = [int(entry[3][entry[3].index(b"COUNT") + 1]) for entry in slowlog(redis_clean) if entry[3][0] == b"SCAN"]
    assert asked
    assert max(asked) == 500
    redis_clean.command("SLOWLOG", "RESET")
    look(target, glob=compiled(b"*7"), key_type="string", position=Position())
    typed = [int(entry[3][entry[3].index(b"COUNT") + 1]) for entry in slowlog(redis_clean) if entry[3][0] == b"SCAN"]
    assert max(typed) == 200


def slowlog(server: RedisServer) -> list[list[list[bytes]]]:
    server.client.response_callbacks.pop("SLOWLOG GET", None)
    entries: list[list[list[bytes]]] = server.command("SLOWLOG", "GET", "128")
    return entries


def test_the_time_budget_ends_a_stretch(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 5_000)
    seen = look(target, glob=compiled(b"*"), position=Position(), budget_s=0)
    assert 0 < seen.after.looked_count < 5_000
    assert seen.steps_count == 1


def test_a_type_is_filtered_by_the_server_and_counted_exactly(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 3_000)
    for number in range(40):
        redis_clean.command("HSET", f"h:{number}", "f", "v")
    names, stretches = whole(target, key_type="hash")
    assert sorted(names) == sorted(b"h:%d" % number for number in range(40))
    assert stretches[-1].after.looked_count == 3_040


def test_a_whole_name_is_looked_up_without_a_scan(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 10)
    redis_clean.command("SET", b"odd*\xff", "v")
    redis_clean.command("CONFIG", "RESETSTAT")
    found = look(target, glob=compiled(b"odd\\*\xff"), position=Position())
    assert (found.direct, found.names) == (True, (b"odd*\xff",))
    assert look(target, glob=compiled(b"odd"), position=Position()).names == ()
    assert look(target, glob=compiled(b"k:1"), key_type="hash", position=Position()).names == ()
    assert "cmdstat_scan" not in redis_clean.client.info("commandstats")


def test_names_of_a_megabyte_end_a_stretch_before_memory_does(redis_clean: RedisServer, target: Target) -> None:
    for number in range(40):
        redis_clean.command("SET", b"%06d" % number + b"x" * 1_000_000, "v")
    seen = look(target, glob=compiled(b"*"), position=Position(), budget_s=10)
    assert not seen.finished or seen.after.looked_count == 40
    names, _ = whole(target)
    assert len(names) == 40


def test_the_database_is_the_targets(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 3)
    fill(redis_clean, 5, prefix="other", database=4)
    names, stretches = whole(replace(target, database="4"))
    assert len(names) == 5
    assert [(d.number, d.keys_count) for d in stretches[0].databases] == [(0, 3), (4, 5)]


def test_looking_sends_reading_commands_only_and_changes_nothing(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 500)
    redis_clean.command("EXPIRE", "k:1", 1000)
    before = redis_clean.client.info("persistence")["rdb_changes_since_last_save"]
    redis_clean.command("CONFIG", "RESETSTAT")
    names, _ = whole(target, b"k:*", key_type="string")
    rows(target, names=names[:200])
    sent = {name.removeprefix("cmdstat_") for name in redis_clean.client.info("commandstats")}
    assert sent <= READING
    assert redis_clean.client.info("persistence")["rdb_changes_since_last_save"] == before


def test_without_scan_the_missing_rule_is_told(redis_clean: RedisServer, cache: Server) -> None:
    without = limited(cache, redis_clean, "~*", "+@all", "-scan")
    with pytest.raises(NotPermitted) as refused:
        look(without.target(), glob=compiled(b"*"), position=Position())
    assert refused.value.missing == "+scan"


def test_without_dbsize_and_info_the_total_is_unknown_not_zero(redis_clean: RedisServer, cache: Server) -> None:
    fill(redis_clean, 7)
    without = limited(cache, redis_clean, "~*", "+@all", "-dbsize", "-info")
    seen = look(without.target(), glob=compiled(b"*"), position=Position())
    assert (seen.total_count, seen.databases, len(seen.names)) == (None, (), 7)


def test_rows_tell_type_time_and_memory(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.command("SET", "a", "v", "PX", 60_000)
    redis_clean.command("HSET", "b", "f", "v")
    told = rows(target, names=[b"a", b"b", b"gone"]).by_name
    assert (told[b"a"].key_type, told[b"b"].key_type) == ("string", "hash")
    assert 50_000 < (told[b"a"].ttl_ms or 0) <= 60_000
    assert told[b"b"].ttl_ms is None
    assert (told[b"a"].memory_bytes or 0) > 0
    assert told[b"gone"].gone
    assert not told[b"b"].gone


def test_rows_are_200_at_most_whatever_was_asked(redis_clean: RedisServer, target: Target) -> None:
    fill(redis_clean, 300)
    assert len(rows(target, names=[b"k:%d" % n for n in range(300)]).by_name) == 200


def test_a_missing_right_costs_its_column_only(redis_clean: RedisServer, cache: Server) -> None:
    redis_clean.command("SET", "a", "v")
    without = limited(
        cache, redis_clean, "~*", "+@all", "-memory|usage" if redis_clean.version >= (7, 0, 0) else "-memory"
    )
    told = rows(without.target(), names=[b"a"])
    assert told.by_name[b"a"].refused == {"memory"}
    assert (told.by_name[b"a"].memory_bytes, told.by_name[b"a"].key_type) == (None, "string")
    assert told.missing == {"memory": "+memory|usage"}


def test_every_version_at_hand_is_looked_through(each_redis: RedisServer) -> None:
    fill(each_redis, 1_200)
    each_redis.command("SADD", "s", "m")
    address = Address(host=str(each_redis.socket), port=0)
    target = Target(id="x", name="x", kind=Kind.REDIS, addresses=(address,), policy=AddressPolicy(sockets=True))
    assert len(whole(target)[0]) == 1_201
    assert whole(target, key_type="set")[0] == [b"s"]
