"""ACL rules: what a server gives back is parsed the same from ACL LIST and ACL GETUSER, and said in words that are true."""

from __future__ import annotations

import contextlib

import pytest
import redis

from apps.acl.reads import redis as acl
from apps.acl.reads.rules import parse_line, rule_words, split_selectors
from apps.acl.reads.words import describe
from tests.real_servers import RedisServer
from tests.upkeep.conftest import redis_target

# (words of ACL SETUSER, oldest version, what the sentences have to say; of several behind bars one, as the server keeps it)
RULES = [
    (
        ["on", ">secret", "~cart:*", "-@all", "+@read"],
        (6, 0),
        ["One password.", "Reads and writes keys beginning cart:.", "Runs no command but all that reads."],
    ),
    (["on", "nopass", "~*", "+@all"], (6, 0),
     ["No password", "Reads and writes every key.", "Runs every command."]),
    (
        ["off", ">a", ">b", "~exact", "-@all", "+get", "+set"],
        (6, 0),
        ["Switched off", "Reads and writes the key exact.", "Runs no command but ", "SET", "GET"],
    ),
    (["on", ">x", "+@all", "-@dangerous"], (6, 0),
     ["No keys.", "Runs every command but the dangerous ones."]),
    (
        ["on", ">x", "~a?c", "+@all", "-@dangerous", "+keys"],
        (6, 0),
        # Up to 7.0 the server writes a category out as soon as one of its commands is allowed again.
        ["keys like a?c", "Runs every command but ", "FLUSHALL|the dangerous ones; then also KEYS."],
    ),
    (
        ["on", ">x", "~a:*", "~b:*", "-@all", "+@write", "-@admin"],
        (6, 0),
        ["keys beginning a: and b:", "Runs no command but all that writes; of these not "],
    ),
    (
        ["on", ">x", "resetchannels", "&news:*", "-@all", "+subscribe"],
        (6, 2),
        ["Publishes and subscribes to channels beginning news:."],
    ),
    (["on", ">x", "resetchannels", "-@all"], (6, 2),
     ["No channels.", "Runs no command."]),
    (
        ["on", ">x", "%R~price:*", "~cart:*", "%W~log", "-@all", "+get"],
        (7, 0),
        ["Reads and writes keys beginning cart:; only reads keys beginning price:; only writes the key log."],
    ),
    (["on", ">x", "-@all", "+config|get"], (7, 0),
     ["Runs no command but CONFIG GET."]),
    (
        ["on", ">x", "~own:*", "+get", "(~other:* +set)", "(%R~(odd) +@read)"],
        (7, 0),
        ["Besides", "keys beginning other:", "the key (odd)"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "oldest", "expected"), RULES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_list_and_getuser_agree_and_the_words_are_true(
    each_redis: RedisServer, words: list[str], oldest: tuple[int, int], expected: list[str]
) -> None:
    if each_redis.version[:2] < oldest:
        pytest.skip("the rule is newer than this server")
    each_redis.command("ACL", "SETUSER", "u", *words)
    target = redis_target(each_redis)
    listed = next(user for user in acl.users(target).users if user.name == b"u")
    detailed = acl.user(target, name=b"u")
    assert detailed == listed
    said = " ".join(sentence.plain for sentence in describe(detailed))
    for phrase in expected:
        assert any(choice in said for choice in phrase.split("|"))


@pytest.mark.parametrize(
    ("words", "oldest", "expected"), RULES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_rule_written_out_makes_the_same_user_again(
    each_redis: RedisServer, words: list[str], oldest: tuple[int, int], expected: list[str]
) -> None:
    if each_redis.version[:2] < oldest:
        pytest.skip("the rule is newer than this server")
    target = redis_target(each_redis)
    each_redis.command("ACL", "SETUSER", "u", *words)
    first = acl.user(target, name=b"u")
    again = [word for word in rule_words(first) if not word.startswith(b"#")]
    channels = [b"resetchannels"] if each_redis.version >= (6, 2, 0) else []
    each_redis.command("ACL", "SETUSER", "copy", b"reset", *channels, *again)
    second = acl.user(target, name=b"copy")
    assert (second.scope, second.selectors, second.is_on) == (first.scope, first.selectors, first.is_on)


def test_no_hash_is_kept_whole(each_redis: RedisServer) -> None:
    each_redis.command("ACL", "SETUSER", "u", "on", ">secret")
    user = acl.user(redis_target(each_redis), name=b"u")
    assert [len(shown) for shown in user.hashes] == [6]
    assert all(len(word) < 20 for word in rule_words(user) if word.startswith(b"#"))


def test_unknown_words_of_newer_servers_are_kept_and_break_nothing() -> None:
    user = parse_line(b"user new on sanitize-payload futureflag db=0,2 ~* &* +@all")
    assert user.others == (b"futureflag",)
    assert user.scope.databases == (b"0", b"2")
    assert user.scope.is_unlimited
    assert "Only in database 0 and 2." in [sentence.plain for sentence in describe(user)]


def test_a_line_that_is_cut_short_gives_a_user_without_rights() -> None:
    for line in (b"", b"user", b"user x", b"nonsense (", b"user x on (~a"):
        user = parse_line(line)
        assert not user.scope.is_unlimited


def test_parentheses_in_patterns_are_not_selectors() -> None:
    root, selectors = split_selectors([b"~a(b)", b"(~c", b"+get)"])
    assert root == [b"~a(b)"]
    assert selectors == [[b"~c", b"+get"]]


def test_clients_are_counted_by_user_and_denials_by_reason(each_redis: RedisServer) -> None:
    each_redis.command("ACL", "SETUSER", "app", "on", ">pw", "~app:*", "-@all", "+get", "+ping")
    client = redis.Redis(unix_socket_path=str(each_redis.socket), username="app", password="pw", protocol=2)
    for key in ("app:1", "other", "other"):
        with contextlib.suppress(redis.exceptions.NoPermissionError):
            client.get(key)
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command("FLUSHALL")  # type: ignore[no-untyped-call]
    target = redis_target(each_redis)
    listed = acl.users(target)
    app = next(user for user in listed.users if user.name == b"app")
    assert listed.clients_of(app) == 1
    assert listed.me == b"default"
    found = {(d.username, d.reason, d.object.lower()): d for d in acl.denials(target)}
    assert found[b"app", b"key", b"other"].count == 2
    assert found[b"app", b"key", b"other"].commands == (b"get",)
    assert (b"app", b"command", b"flushall") in found
    client.close()


def test_nodes_that_differ_are_told_apart_by_user() -> None:
    first = [parse_line(b"user a on ~* +@all"), parse_line(b"user b off -@all")]
    other = [parse_line(b"user a on ~x +@all"), parse_line(b"user c off -@all")]
    assert [(d.name, d.kind) for d in acl.differences(first, other)] == [
        (b"a", "has another rule or password"),
        (b"b", "is missing"),
        (b"c", "exists only here"),
    ]
    assert acl.differences(first, first) == ()
