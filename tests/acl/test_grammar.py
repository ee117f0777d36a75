"""Rules as people write them: what the server would take by accident is refused with the word that is wrong."""

from __future__ import annotations

import pytest

from apps.acl import grammar
from apps.acl.definitions import of_line
from apps.acl.grammar import Rules
from apps.engine.contracts.action import Refused
from tests.acl.users import make
from tests.real_servers import RedisServer


def test_words_are_read_in_their_order_and_selectors_whole() -> None:
    rules = grammar.parsed("~cart:*  %R~price:*\n&events:* -@all +@read +config|get (~tmp:* +set) ( %W~q +lpush )")
    assert rules == Rules(
        words=(b"~cart:*", b"%R~price:*", b"&events:*", b"-@all", b"+@read", b"+config|get"),
        selectors=((b"~tmp:*", b"+set"), (b"%W~q", b"+lpush")),
    )
    assert rules.arguments()[-2:] == [b"(~tmp:* +set)", b"(%W~q +lpush)"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Write what the user may"),
        ("  \n ", "Write what the user may"),
        (">secret +get", "does not belong into the rules"),
        ("#" + "a" * 64, "does not belong into the rules"),
        ("<old", "does not belong into the rules"),
        ("!" + "a" * 64, "does not belong into the rules"),
        ("(>secret)", "does not belong into the rules"),
        ("on +get", "no rule here"),
        ("off", "no rule here"),
        ("nopass ~*", "no rule here"),
        ("reset +@all", "no rule here"),
        ("resetpass", "no rule here"),
        ("+get (~a +set", "a ) is missing"),
        ("(~a (+set))", "a ) is missing"),
        ("()", "empty"),
        ("( )", "empty"),
        ("(sanitize-payload +get)", "cannot be within a selector"),
        ("(~a(b +get)", "cannot be within a selector"),
        ("get", "no rule that this console knows"),
        ("+", "no rule that this console knows"),
        ("+GET set", "no rule that this console knows"),
        ("~", "no rule that this console knows"),
        ("&", "no rule that this console knows"),
        ("%X~a", "no rule that this console knows"),
        ("%~a", "no rule that this console knows"),
        ("db=0", "no rule that this console knows"),
        ("+config|get|x", "no rule that this console knows"),
        ("~a\\x20b", "a space or a NUL"),
        ("~a\\x00b", "a space or a NUL"),
        ("~" + "a" * 257, "at most 256 bytes"),
        (" ".join(["+get"] * 65), "At most 64 words"),
        ("~* ~cart:*", "adds nothing"),
        ("allkeys %R~a", "adds nothing"),
        ("&* &a", "adds nothing"),
    ],
)
def test_what_is_no_rule_is_refused_at_its_field_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why.replace("(", r"\(").replace(")", r"\)")) as refused:
        grammar.parsed(text)
    assert refused.value.field == "rules"


def test_a_pattern_after_everything_was_taken_back_is_a_pattern_again() -> None:
    assert grammar.parsed("~* resetkeys ~cart:* &* resetchannels &a").words[2] == b"~cart:*"


def test_a_refused_password_is_not_repeated() -> None:
    with pytest.raises(Refused) as refused:
        grammar.parsed("~* >hunter2")
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize(
    "words",
    [
        (b"~cart:*", b"+get"),
        (b"~\xff\x01", b"+@all"),
        (b"~back\\slash", b"~\\x41", b"~\\*literal"),
        ("~schlüssel:*".encode(), b"&\xe2\x80\xae"),
        (b"~e(x)*", b"-@all"),
    ],
)
def test_what_is_written_is_read_back_byte_by_byte(words: tuple[bytes, ...]) -> None:
    rules = Rules(words=words, selectors=((b"~a\xfe", b"+set"),))
    text = grammar.written(rules)
    assert text.isprintable() and grammar.parsed(text) == rules


@pytest.mark.parametrize(
    ("text", "version", "why"),
    [
        ("(~a +get)", (6, 2), "selectors"),
        ("%R~a +get", (6, 2), "reading from writing"),
        ("-config|get", (6, 2), "deny a subcommand"),
        ("clearselectors", (6, 2), "selectors"),
        ("&a", (6, 0), "channels"),
        ("resetchannels", (6, 0), "channels"),
        ("sanitize-payload", (6, 0), "sanitize-payload"),
        ("+config|get ~a &a sanitize-payload", (6, 2), ""),
        ("+config|get ~a", (6, 0), ""),
        ("(~a +get) %R~a -config|get &a", (7, 0), ""),
    ],
)
def test_what_a_version_does_not_know_is_said(text: str, version: tuple[int, int], why: str) -> None:
    said = grammar.unsupported(grammar.parsed(text), version)
    assert why in said and bool(why) == bool(said)


@pytest.mark.parametrize("name", [b"", b"a b", b"a\x00b", b"a\tb", b"a\nb", b"x" * 129])
def test_a_name_that_no_user_can_have_is_refused(name: bytes) -> None:
    with pytest.raises(Refused) as refused:
        grammar.check_name(name)
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    "text",
    ["~a:* -@all +@read +set", "allkeys allcommands -@dangerous", "-@all", "~e(x)* -@all +get", "+@all -flushall"],
)
def test_what_is_accepted_here_is_accepted_by_the_server_and_means_the_same_when_it_is_read_back(
    each_redis: RedisServer, text: str
) -> None:
    rules = grammar.parsed(text)
    words = grammar.setting(rules, is_on=False, passwords=(), version=each_redis.version[:2])
    each_redis.command("ACL", "SETUSER", "tried", *words)
    (line,) = [line for line in each_redis.command("ACL", "LIST") if line.startswith(b"user tried ")]
    again = grammar.parsed(grammar.written(of_line(line).rules))
    each_redis.command(
        "ACL", "SETUSER", "again", *grammar.setting(again, is_on=False, passwords=(), version=each_redis.version[:2])
    )
    (other,) = [line for line in each_redis.command("ACL", "LIST") if line.startswith(b"user again ")]
    assert other.split(b" ")[2:] == line.split(b" ")[2:]


def test_a_definition_says_nothing_of_its_passwords_and_tells_every_change(each_redis: RedisServer) -> None:
    seen = set()
    for password, rule in (("a", "+get"), ("b", "+get"), ("a", "+set")):
        make(each_redis, "app", "~*", rule, password=password)
        (line,) = [line for line in each_redis.command("ACL", "LIST") if line.startswith(b"user app ")]
        definition = of_line(line)
        seen.add(definition.mark)
        assert definition.hashes[0].decode() not in repr(definition)
        assert definition.hashes[0].decode() not in definition.mark
    assert len(seen) == 3
