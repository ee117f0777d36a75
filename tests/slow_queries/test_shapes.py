"""What tells one thing from another is folded away; what a programmer wrote stays."""

import pytest

from apps.slow_queries.reads.shapes import folded_key, sent_arguments, shape_of, size_of


def shape(*words: bytes) -> str:
    found = shape_of(words, len(words) - 1)
    return f"{found.name} {found.arguments}".strip()


@pytest.mark.parametrize(
    ("key", "folded"),
    [
        (b"cart:81723", "cart:*"),
        (b"cart:81723:items", "cart:*:items"),
        (b"cart:*", "cart:*"),
        (b"session:9ac1f00d", "session:*"),
        (b"session:deadbeef", "session:*"),
        (b"user:alice@example.org", "user:*.org"),
        (b"celery", "celery"),
        (b"2024-11-20", "*"),
        (b"", ""),
        (b"\xff\xfe\x00", "*"),
        (b"a" * 25, "*"),
        ("straße".encode(), "*"),
    ],
)
def test_keys_are_folded(key: bytes, folded: str) -> None:
    assert folded_key(key) == folded


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((b"hgetall", b"product:17"), "HGETALL product:*"),
        ((b"SET", b"token:1", b"secret value"), "SET token:*"),
        ((b"KEYS", b"cart:*"), "KEYS cart:*"),
        ((b"LRANGE", b"feed", b"0", b"-1"), "LRANGE feed 0 -1"),
        ((b"LRANGE", b"feed", b"0", b"99"), "LRANGE feed of a part"),
        ((b"DEL", b"a:1", b"a:2", b"a:3"), "DEL a:* × 3"),
        ((b"EVALSHA", b"9ac1" + b"0" * 36, b"1", b"stock:1"), "EVALSHA 9ac10000… 2 arguments"),
        ((b"EVAL", b"return redis.call('get', 'secret')", b"0"), "EVAL script 1 argument"),
        ((b"CONFIG", b"SET", b"requirepass", b"secret"), "CONFIG SET 2 arguments"),
        ((b"AUTH", b"alice", b"secret"), "AUTH 2 arguments"),
        ((b"FT.SEARCH", b"index", b"@name:secret"), "FT.SEARCH 2 arguments"),
        ((b"XINFO", b"STREAM", b"orders"), "XINFO * orders"),
        ((b"\xff<script>", b"x"), "* 1 argument"),
        ((b"PING",), "PING"),
        ((), "unknown"),
    ],
)
def test_commands_are_folded_to_their_shape(words: tuple[bytes, ...], shown: str) -> None:
    assert shape(*words) == shown


def test_many_keys_are_one_shape_however_many() -> None:
    first, second = shape_of([b"MGET", b"a:1"], 512), shape_of([b"MGET", b"a:2"], 577)
    assert first == second
    assert first.advice == "100 at a time, pipelined"


def test_what_the_server_cut_is_counted_in_full() -> None:
    words, count = sent_arguments([b"MGET", *[b"k"] * 30, b"... (470 more arguments)"])
    assert (len(words), count) == (31, 500)
    assert size_of(b"x" * 128 + b"... (872 more bytes)") == 1000
    assert size_of(b"four") == 4


@pytest.mark.parametrize(
    ("words", "effect"),
    [((b"KEYS", b"*"), "blocks all"), ((b"SMEMBERS", b"s"), "whole key"), ((b"GET", b"k"), "")],
)
def test_an_effect_on_others_is_said(words: tuple[bytes, ...], effect: str) -> None:
    assert shape_of(words, len(words) - 1).effect == effect
