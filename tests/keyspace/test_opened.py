"""Opening a key: each type by pages, bounded whatever its size, and told plainly when it went away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.engine.connections.addresses import AddressPolicy
from apps.engine.errors import Gone, NotPermitted
from apps.engine.target import Address, Kind, Target
from apps.keyspace.reads.contents import CHUNK_BYTES, Contents, Page
from apps.keyspace.reads.opened import OpenedKey, open_key
from apps.servers.models import Server
from tests.keyspace.conftest import limited
from tests.real_servers import RedisServer


def pages(target: Target, name: bytes, *, newest_first: bool | None = None) -> list[Contents]:
    """Every page of a key, each begun where the one before said."""
    told: list[Contents] = []
    at: str | None = ""
    while at is not None:
        opened = open_key(target, name=name, page=Page(at=at, newest_first=newest_first))
        assert opened.contents is not None, opened.error
        told.append(opened.contents)
        at = opened.contents.next_at
    return told


def opened(target: Target, name: bytes, **options: object) -> OpenedKey:
    return open_key(target, name=name, page=Page(**options))  # type: ignore[arg-type]


def test_a_string_comes_in_pieces_of_64_kib(redis_clean: RedisServer, target: Target) -> None:
    value = bytes(range(256)) * 700
    redis_clean.command("SET", b"\xff\x00name", value)
    told = pages(target, b"\xff\x00name")
    assert b"".join(page.items[0].value for page in told) == value
    assert [len(page.items[0].value) for page in told] == [CHUNK_BYTES, CHUNK_BYTES, len(value) - 2 * CHUNK_BYTES]
    assert opened(target, b"\xff\x00name").facts.length_count == len(value)


def test_a_large_hash_comes_in_pages_of_about_100(redis_clean: RedisServer, target: Target) -> None:
    fields = {b"f%d\xff" % n: b"v%d" % n for n in range(2_000)}
    redis_clean.command("HSET", "h", *[part for pair in fields.items() for part in pair])
    told = pages(target, b"h")
    assert {item.label: item.value for page in told for item in page.items} == fields
    assert max(len(page.items) for page in told) <= 200
    assert len(told) >= 10


def test_one_field_is_found_by_name_and_a_giant_one_is_not_fetched(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.client.hset("h", mapping={b"a\xff": b"1", b"giant": b"x" * 2_000_000})
    field = opened(target, b"h", field=b"a\xff").contents
    assert field is not None
    assert [item.value for item in field.items] == [b"1"]
    giant = opened(target, b"h", field=b"giant").contents
    assert giant is not None
    assert (giant.command, giant.items[0].size_bytes, giant.items[0].value) == ("HSTRLEN", 2_000_000, b"")
    missing = opened(target, b"h", field=b"nope").contents
    assert missing is not None
    assert missing.items == ()


def test_large_elements_come_few_at_a_time(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.command("RPUSH", "l", *[b"x" * 3_000_000] * 6)
    told = pages(target, b"l")
    assert max(len(page.items) for page in told) <= 2
    assert sum(len(page.items) for page in told) == 6
    assert told[0].items[0].size_bytes == 3_000_000
    assert len(told[0].items[0].value) == CHUNK_BYTES


def test_a_list_is_paged_by_index(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.command("RPUSH", "l", *range(250))
    told = pages(target, b"l")
    assert [len(page.items) for page in told] == [100, 100, 50]
    assert told[2].items[-1].label == b"249"
    assert told[2].items[-1].value == b"249"


def test_a_set_is_whole_over_its_pages(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.command("SADD", "s", *[b"m%d" % n for n in range(1_000)])
    assert {item.value for page in pages(target, b"s") for item in page.items} == {b"m%d" % n for n in range(1_000)}


def test_a_sorted_set_goes_both_ways(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.client.zadd("z", {f"m{n}": n + 0.5 for n in range(150)})
    up, down = pages(target, b"z"), pages(target, b"z", newest_first=True)
    assert [page.command for page in (up[0], down[0])] == ["ZRANGE", "ZREVRANGE"]
    assert (up[0].items[0].value, up[0].items[0].score) == (b"m0", b"0.5")
    assert (down[0].items[0].value, down[1].items[-1].value) == (b"m149", b"m0")


def test_a_stream_shows_its_newest_first_and_counts_its_groups(redis_clean: RedisServer, target: Target) -> None:
    for number in range(230):
        redis_clean.command("XADD", "x", f"{number + 1}-1", "a", number, "b", "y")
    redis_clean.command("XGROUP", "CREATE", "x", "mailers", "0")
    told = pages(target, b"x")
    ids = list(dict.fromkeys(item.label for page in told for item in page.items))
    assert ids == [b"%d-1" % number for number in range(230, 0, -1)]
    assert told[0].groups_count == 1
    assert (told[0].items[0].field, told[0].items[0].value) == (b"a", b"229")
    assert pages(target, b"x", newest_first=False)[0].items[0].label == b"1-1"


def test_facts_tell_the_exact_moment_and_do_not_count_as_a_use(redis_clean: RedisServer, target: Target) -> None:
    moment = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)
    redis_clean.command("SET", "a", "v")
    redis_clean.command("PEXPIREAT", "a", int(moment.timestamp() * 1000))
    facts = opened(target, b"a").facts
    assert abs((facts.expires_at - moment).total_seconds() if facts.expires_at else 99) < 2
    assert (facts.expires, facts.encoding, facts.idle_s) == (True, "embstr", 0)
    redis_clean.command("PERSIST", "a")
    assert opened(target, b"a").facts.expires is False


def test_a_moment_beyond_any_calendar_is_survived(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.command("SET", "a", "v", "PX", 2**62 - 1 if redis_clean.version >= (7, 0, 0) else 10**15)
    assert opened(target, b"a").facts.expires is True


def test_an_lfu_server_tells_frequency_instead_of_idle_time(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    redis_clean.command("SET", "a", "v")
    facts = opened(target, b"a").facts
    assert facts.idle_s is None
    assert facts.frequency_count is not None


def test_a_key_that_is_gone_is_said_to_be(target: Target) -> None:
    with pytest.raises(Gone, match="no such key"):
        opened(target, b"nothing")


@pytest.mark.parametrize("at", ["x", "-1", "99999999999999999999999", "1-1 ", "٣"])
def test_a_page_that_was_cut_or_changed_is_refused(redis_clean: RedisServer, target: Target, at: str) -> None:
    redis_clean.command("HSET", "h", "f", "v")
    redis_clean.command("XADD", "x", "1-1", "a", "b")
    for name in (b"h", b"x"):
        told = opened(target, name, at=at)
        assert told.contents is None
        assert isinstance(told.error, Gone)


def test_a_value_that_may_not_be_read_leaves_the_facts(redis_clean: RedisServer, cache: Server) -> None:
    redis_clean.command("SET", "a", "v")
    without = limited(cache, redis_clean, "~*", "+@all", "-getrange", "-object")
    told = open_key(without.target(), name=b"a", page=Page())
    assert told.facts.length_count == 1
    assert isinstance(told.error, NotPermitted)
    assert told.error.missing == "+getrange"
    assert told.facts.encoding == ""
    assert "+object|encoding" in told.facts.missing


def test_opening_any_type_changes_nothing(redis_clean: RedisServer, target: Target) -> None:
    redis_clean.command("SET", "s", "v")
    redis_clean.command("HSET", "h", "f", "v")
    redis_clean.command("RPUSH", "l", "v")
    redis_clean.command("SADD", "t", "v")
    redis_clean.command("ZADD", "z", 1, "v")
    redis_clean.command("XADD", "x", "1-1", "a", "b")
    before = redis_clean.client.info("persistence")["rdb_changes_since_last_save"]
    for name in (b"s", b"h", b"l", b"t", b"z", b"x"):
        assert opened(target, name).contents is not None
    assert redis_clean.client.info("persistence")["rdb_changes_since_last_save"] == before


def test_every_version_at_hand_opens_every_type(each_redis: RedisServer) -> None:
    each_redis.command("XADD", "x", "1-1", "a", "b")
    each_redis.command("ZADD", "z", 1, "v")
    each_redis.command("SET", "s", "v", "EX", 100)

    address = Address(host=str(each_redis.socket), port=0)
    plain = Target(id="x", name="x", kind=Kind.REDIS, addresses=(address,), policy=AddressPolicy(sockets=True))
    for name in (b"x", b"z", b"s"):
        assert opened(plain, name).contents is not None
    assert opened(plain, b"s").facts.expires_at is not None
