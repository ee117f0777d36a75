"""The pages: who may see what, what they say, and that nothing from a server can hurt them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.text import ref
from apps.servers.models import Credential, Server
from tests.keyspace.conftest import limited
from tests.real_servers import RedisServer

Browser = Callable[[Operator], Client]
LIST = "/servers/cache/keyspace/"
SECRET = "sesame-4711"
HANDBOOK = Path(__file__).parents[2] / "docs" / "keyspace.md"


def text(page: str) -> str:
    """What a reader sees: tags out, white space in one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)).strip()


def get(client: Client, address: str, **headers: str) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def fill(server: RedisServer, count: int) -> None:
    pipe = server.client.pipeline(transaction=False)
    for number in range(count):
        pipe.set(f"cart:user:{number}", "v")
    pipe.execute()


# What is said ------------------------------------------------------------------------------------------------------


def test_coverage_is_told_in_words(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    fill(redis_clean, 30_000)
    page = text(get(as_operator(alice), f"{LIST}?pattern=cart:user:1234*"))
    told = re.search(r"Looked at ([\d,]+) of 30,000 keys \(([\d.]+) %\); (\d+) match(es)? so far\.", page)
    assert told, page
    assert "match, " in page or "at most" in page
    assert "Nothing was written; read with SCAN" in page


def test_looking_on_reaches_the_end(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    fill(redis_clean, 12_000)
    client, address = as_operator(alice), f"{LIST}?pattern=cart:user:11*"
    for _ in range(40):
        page = get(client, address)
        onward = re.search(r'href="(\?[^"]*from=[^"]+)"[^>]*data-look-on', page)
        if onward is None:
            break
        address = LIST + onward.group(1).replace("&amp;", "&")
    expected = sum(str(number).startswith("11") for number in range(12_000))
    assert f"Looked at all 12,000 keys; {expected:,} match." in text(page)


def test_a_name_without_stars_is_looked_up(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    fill(redis_clean, 3)
    client = as_operator(alice)
    assert "Looked up one name directly; it exists." in text(get(client, f"{LIST}?pattern=cart:user:1"))
    assert "no key has it" in text(get(client, f"{LIST}?pattern=cart:user:none"))


def test_an_empty_database_says_so(cache: Server, alice: Operator, as_operator: Browser) -> None:
    assert "Database 5 of this node is empty." in text(get(as_operator(alice), f"{LIST}?db=5"))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("pattern=" + "%2Aa" * 7, "A pattern may hold 6 stars; this one has 7."),
        ("pattern=" + "a" * 129, "A pattern may be 128 bytes long; this one has 129."),
        ("from=zzz", "The place to look on from was cut or changed."),
        ("type=nothing", "Select a valid choice."),
        ("db=-1", "greater than or equal to 0"),
        ("node=10.9.9.9:1", "Select a valid choice."),
        ("open=%00", "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    cache: Server, alice: Operator, as_operator: Browser, query: str, sentence: str
) -> None:
    page = text(get(as_operator(alice), f"{LIST}?{query}"))
    assert "Nothing was looked at" in page
    assert sentence in page


def test_a_list_is_paged_by_200(redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser) -> None:
    fill(redis_clean, 450)
    client = as_operator(alice)
    first, third = get(client, f"{LIST}?layout=list"), get(client, f"{LIST}?layout=list&page=3")
    assert (first.count("<tr data-row"), third.count("<tr data-row")) == (200, 50)
    assert "Page 1 of 3" in text(first)


def test_the_tree_opens_a_folder(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    fill(redis_clean, 80)
    redis_clean.client.mset({f"job:{number}": "v" for number in range(30)})
    client = as_operator(alice)
    assert get(client, LIST).count("<tr data-row") == 2
    assert get(client, f"{LIST}?open={ref(b'job:')}").count("<tr data-row") == 32


# Who may -------------------------------------------------------------------------------------------------------------


def test_names_are_for_those_who_look_after_servers(
    cache: Server,
    alice: Operator,
    bob: Operator,
    charlie: Operator,
    dana: Operator,
    erin: Operator,
    as_operator: Browser,
) -> None:
    assert as_operator(alice).get(LIST).status_code == 200
    assert as_operator(bob).get(LIST).status_code == 200
    assert as_operator(charlie).get(LIST).status_code == 404
    for person in (dana, erin):
        assert as_operator(person).get(LIST).status_code == 403


def test_values_are_masked_until_asked_for(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    client = as_operator(alice)
    for kind, address in every_type(redis_clean):
        masked = get(client, address)
        assert SECRET not in masked, kind
        assert "●●●●●●" in masked
        assert "Values are masked." in text(masked)
        assert SECRET in get(client, f"{address}?show=1"), kind


def every_type(server: RedisServer) -> list[tuple[str, str]]:
    server.command("SET", "string", SECRET)
    server.command("HSET", "hash", "field", SECRET)
    server.command("RPUSH", "list", SECRET)
    server.command("SADD", "set", SECRET)
    server.command("ZADD", "zset", "1.5", SECRET)
    server.command("XADD", "stream", "1-1", "field", SECRET)
    kinds = ("string", "hash", "list", "set", "zset", "stream")
    return [(kind, f"{LIST}{ref(kind.encode())}/") for kind in kinds]


def test_a_viewer_sees_masks_and_cannot_lift_them(
    redis_clean: RedisServer, cache: Server, bob: Operator, as_operator: Browser
) -> None:
    client = as_operator(bob)
    for _, address in every_type(redis_clean):
        page = get(client, address)
        assert SECRET not in page
        assert "Show values" not in page
        assert client.get(f"{address}?show=1").status_code == 403


def test_a_viewer_of_staging_sees_names_and_opens_no_key(
    redis_clean: RedisServer, cache: Server, bob: Operator, as_operator: Browser
) -> None:
    Server.objects.filter(key="cache").update(environment="staging")
    redis_clean.command("SET", "cart", SECRET)
    page = get(as_operator(bob), f"{LIST}?key={ref(b'cart')}")
    assert "may not open keys" in page
    assert f"key={ref(b'cart')}" not in page.partition("<section")[2]
    assert as_operator(bob).get(f"{LIST}{ref(b'cart')}/").status_code == 403


def test_where_a_reason_or_a_fresh_sign_in_is_asked_nothing_is_shown_before(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    addresses = every_type(redis_clean)
    for environment in ("staging", "prod"):
        Server.objects.filter(key="cache").update(environment=environment)
        for _, address in addresses:
            assert SECRET not in as_operator(alice).get(f"{address}?show=1").content.decode()


def test_a_postgres_has_no_keyspace(cache: Server, alice: Operator, as_operator: Browser) -> None:
    Server.objects.filter(key="cache").update(kind="postgres")
    assert as_operator(alice).get(LIST).status_code == 404


# Fragments -------------------------------------------------------------------------------------------------------------


def test_opening_a_key_beside_the_list_costs_no_scan(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    redis_clean.command("SET", "cart", "v")
    redis_clean.command("CONFIG", "RESETSTAT")
    page = get(as_operator(alice), f"{LIST}?key={ref(b'cart')}", HX_Request="true", HX_Target="section#key")
    assert page.strip().startswith('<section class="panel keypane keypane-open" id="key">')
    assert "<html" not in page
    assert "cmdstat_scan" not in redis_clean.client.info("commandstats")
    alone = get(as_operator(alice), f"{LIST}{ref(b'cart')}/", HX_Request="true", HX_Target="key")
    assert alone.strip().startswith('<section class="panel keypane')


# What hurts --------------------------------------------------------------------------------------------------------------

HOSTILE = [
    b"<script>alert(1)</script>", b'"><img src=x onerror=alert(1)>', b"a\x00b", b"\xff\xfe\x80", b"\xe2\x80\xaetxt.exe",
    b"line\nbreak", b"{{ server.key }}{% now %}", b"'; DROP TABLE x; --", b"\xed\xa0\x80", b" ", b"",
]  # fmt: skip


def test_hostile_names_and_values_are_escaped_and_can_be_opened(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    client = as_operator(alice)
    for name in HOSTILE:
        redis_clean.command("HSET", name, name, name)
    page = get(client, f"{LIST}?layout=list")
    for name in HOSTILE[:-1]:
        one = get(client, f"{LIST}{ref(name)}/?show=1")
        for shown in (page, one):
            assert "<script>alert" not in shown
            assert "<img src=x" not in shown
            assert "\u202e" not in shown
        assert "Fields" in one
        assert ref(name) in page


def test_a_name_of_a_megabyte_is_listed_and_not_linked(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    redis_clean.command("SET", b"x" * 1_000_000, "v")
    page = get(as_operator(alice), LIST)
    assert "too long to open" in page
    assert len(page) < 40_000


@pytest.mark.parametrize("bad", ["!!!", "A", "%FF", "é"])
def test_a_ref_that_names_nothing_says_so(cache: Server, alice: Operator, as_operator: Browser, bad: str) -> None:
    page = text(get(as_operator(alice), f"{LIST}{bad}/"))
    assert "cut or changed" in page or "no such key" in page


def test_a_key_that_went_away_is_said_to_be(cache: Server, alice: Operator, as_operator: Browser) -> None:
    assert "There is no such key any more." in get(as_operator(alice), f"{LIST}{ref(b'gone')}/")


def test_a_page_of_bombs_costs_what_one_does(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    redis_clean.command("RPUSH", "bombs", *[zlib.compress(b"[" + b"0," * 2_000_000 + b"0]")] * 100)
    answer = as_operator(alice).get(f"{LIST}{ref(b'bombs')}/?show=1")
    assert answer.status_code == 200
    assert len(answer.content) < 1_500_000


def test_a_stopped_server_fails_its_panels_only(
    cache: Server, refusing_port: int, alice: Operator, as_operator: Browser
) -> None:
    Server.objects.filter(key="cache").update(addresses=[{"host": "127.0.0.1", "port": refusing_port}])
    page = get(as_operator(alice), f"{LIST}?key={ref(b'cart')}")
    assert page.count("Connection refused") == 2
    assert "The keys could not be listed" in page


def test_a_secret_that_cannot_be_opened_fails_its_panels_only(
    cache: Server, alice: Operator, as_operator: Browser
) -> None:
    Credential.objects.create(server=cache, profile="monitor", username="limited", secret="not sealed")
    page = get(as_operator(alice), f"{LIST}?key={ref(b'cart')}")
    assert page.count("stored password") == 2


def test_a_half_permitted_account_is_told_the_missing_rule(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    redis_clean.command("SET", "cart", "v")
    limited(cache, redis_clean, "~*", "+@all", "-memory", "-object", "-getrange")
    page = get(as_operator(alice), f"{LIST}?key={ref(b'cart')}")
    assert "not permitted" in page
    for rule in ("+memory|usage", "+object|encoding", "+getrange"):
        assert rule in page


def test_an_account_for_some_keys_shows_those_and_names_the_missing_pattern(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    redis_clean.client.mset({"cart": "v", "other": SECRET})
    limited(cache, redis_clean, "~cart", "+@all")
    page = get(as_operator(alice), f"{LIST}?layout=list&key={ref(b'other')}")
    assert page.count("not permitted") >= 3
    assert "~*" in page
    assert '<span class="type">string</span>' in page


def test_the_rule_of_the_handbook_suffices(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    rule = re.search(r"`ACL SETUSER console (on [^`]+)`", HANDBOOK.read_text())
    assert rule
    limited(cache, redis_clean, *rule.group(1).replace(">…", "").split())
    client = as_operator(alice)
    for kind, address in every_type(redis_clean):
        page = get(client, f"{address}?show=1")
        assert SECRET in page, kind
        assert "may not" not in text(page), kind
    assert "not permitted" not in get(client, f"{LIST}?layout=list")


def test_no_inline_code_in_any_state(
    redis_clean: RedisServer, cache: Server, alice: Operator, as_operator: Browser
) -> None:
    client = as_operator(alice)
    addresses = [address + "?show=1" for _, address in every_type(redis_clean)]
    for address in [LIST, f"{LIST}?layout=list&key={ref(b'hash')}", f"{LIST}?from=x", *addresses]:
        page = get(client, address)
        assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*src=)", page), address
