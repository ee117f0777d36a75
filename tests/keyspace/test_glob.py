"""Patterns are matched exactly as the server would, and never slowly."""

from __future__ import annotations

import random
import time

import pytest

from apps.keyspace.glob import PatternRefused, compiled, escaped
from tests.real_servers import RedisServer

TRICKY = [
    b"*", b"a*", b"*a", b"a*b*c", b"?", b"a?c", b"[abc]", b"[^abc]", b"[a-c]x", b"[c-a]x", b"[a\\-c]", b"[\\]]", b"[]",
    b"[^]", b"[abc", b"[a-", b"[a-]x]", b"a\\*b", b"a\\", b"\\?", b"**", b"*?*", b"h[ae]llo*", b"\\[x]", b"[^a-c]*", b"^", b"-",
]  # fmt: skip
NAMES = [
    b"a", b"b", b"c", b"ab", b"abc", b"aXbYc", b"a*b", b"a?c", b"?", b"x", b"ax", b"bx", b"]", b"-", b"^", b"a\\", b"\\",
    b"hello", b"hallo:1", b"[x]", b"\xff\x00", b"a\nc", b"aac", b"a-", b"\xc3\xa9",
]  # fmt: skip


def matched_by(server: RedisServer, pattern: bytes) -> set[bytes]:
    return set(server.command("KEYS", pattern))


def test_tricky_patterns_match_what_the_server_matches(redis_clean: RedisServer) -> None:
    for name in NAMES:
        redis_clean.command("SET", name, "1")
    for pattern in TRICKY:
        glob = compiled(pattern)
        assert {n for n in NAMES if glob.matches(n)} == matched_by(redis_clean, pattern), pattern


def test_random_patterns_match_what_the_server_matches(redis_clean: RedisServer) -> None:
    dice = random.Random(7)
    names = {bytes(dice.choice(b"ab-]") for _ in range(dice.randint(1, 6))) for _ in range(300)}
    for name in names:
        redis_clean.command("SET", name, "1")
    for _ in range(400):
        pattern = bytes(dice.choice(b"ab-]*?[^\\") for _ in range(dice.randint(1, 7)))
        if pattern.count(b"*") <= 6:
            glob = compiled(pattern)
            assert {n for n in names if glob.matches(n)} == matched_by(redis_clean, pattern), pattern


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [(b"cart:1", b"cart:1"), (rb"a\*b", b"a*b"), (b"a*", None), (b"a?", None), (b"[a]", None), (b"\xff", b"\xff")],
)
def test_a_pattern_without_glob_characters_is_a_name(pattern: bytes, literal: bytes | None) -> None:
    assert compiled(pattern).literal == literal


def test_an_escaped_name_is_the_pattern_of_only_itself(redis_clean: RedisServer) -> None:
    for name in (b"us*", b"us", b"user", b"a[b]-^c\\?"):
        redis_clean.command("SET", name, "1")
        assert compiled(escaped(name)).literal == name
        assert matched_by(redis_clean, escaped(name)) == {name}


def test_too_long_and_too_many_stars_are_refused_in_words() -> None:
    with pytest.raises(PatternRefused, match="128 bytes"):
        compiled(b"a" * 129)
    with pytest.raises(PatternRefused, match="6 stars; this one has 7"):
        compiled(b"*a" * 7)
    assert compiled(rb"\*" * 60).literal == b"*" * 60


def test_six_stars_over_a_megabyte_stay_fast() -> None:
    glob = compiled(b"*a*a*a*a*a*b")
    begun = time.perf_counter()
    assert not glob.matches(b"a" * 1_000_000)
    assert time.perf_counter() - begun < 1
