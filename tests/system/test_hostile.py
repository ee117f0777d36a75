"""Names and values made to hurt: control characters, markup, bidi, invalid UTF-8, a megabyte. Nothing runs, nothing fails."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.text import ref
from tests.system.conftest import World
from tests.system.routes import server_pages
from tests.system.test_policy import inline_in

MARKUP = b"<img src=x onerror=alert(1)><script>alert(1)</script>"
NASTY = [
    MARKUP,
    b"\"'><svg onload=alert(1)>",
    b"{{ 7|add:7 }}{% debug %}",
    b"\x00\x01\x1b[31mred\x07",
    "\u202egnp.exe\u2066\u200b".encode(),
    b"\xff\xfe\x80\xc3",
    b"line\r\nSet-Cookie: a=b",
    b"%2e%2e/../..",
    b"x" * 1_000_000,
    b"",
]


def furnish(world: World) -> None:
    """Each nasty text as key, field, member, element, entry, queue, job, client and user name, where the server takes it."""
    command = world.redis.command
    for name in NASTY:
        command("SET", name, name)
        command("HSET", b"h" + name, name, name)
        command("RPUSH", b"l" + name, name)
        command("SADD", b"s" + name, name)
        command("ZADD", b"z" + name, 1, name)
        command("XADD", b"e" + name, "*", name or b"f", name)
        command("XGROUP", "CREATE", b"e" + name, name or b"g", "0")
        command("SADD", "rq:queues", b"rq:queue:" + name)
        command("RPUSH", b"rq:queue:" + name, name or b"j")
        command(
            "HSET",
            b"rq:job:" + (name or b"j"),
            "description",
            name,
            "exc_info",
            name,
            "data",
            name,
            "enqueued_at",
            name,
        )
        command("SADD", b"_kombu.binding." + name, name + b"\x06\x16\x06\x16" + name)
        message = {"headers": {"task": name.decode("latin-1")[:5000]}, "properties": {"delivery_tag": "t"}, "body": "!"}
        command("LPUSH", name + b"q", json.dumps(message))
    command("ACL", "SETUSER", MARKUP.replace(b" ", b"/"), "on", "nopass", b"~" + MARKUP.replace(b" ", b"/"), "+get")


def furnish_postgres(world: World) -> None:
    """Tables, columns, roles, statements and application names of the same kind; PostgreSQL takes valid UTF-8 only."""
    for number, raw in enumerate([*NASTY[:3], NASTY[4], NASTY[6]]):
        name = raw.decode()[:40].replace("%", "%%")
        quoted = '"' + name.replace('"', '""') + f'{number}"'
        world.postgres.sql(f"CREATE TABLE {quoted} ({quoted} int PRIMARY KEY)")
        world.postgres.sql(f"CREATE INDEX ON {quoted} ({quoted})")
        world.postgres.sql(f"SELECT {quoted} FROM {quoted} /* {MARKUP.decode()} */")


def assert_tame(text: str, path: str) -> None:
    assert inline_in(text) == [], path
    assert "<script>alert" not in text and "<img src=x" not in text and "<svg onload" not in text, path
    assert "\u202e" not in text and "\x1b[31m" not in text and "\x00" not in text, path
    assert len(text) < 3_000_000, (path, len(text))


def test_nothing_of_a_redis_gets_out_of_its_cell(
    world: World, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    furnish(world)
    client = as_operator(alice)
    paths = [r.path("redis-dev") for r in server_pages("redis")] + ["/", "/queues/"]
    for prefix in (b"", b"h", b"l", b"s", b"z", b"e"):
        for name in NASTY[:8]:
            paths += [
                f"/servers/redis-dev/keyspace/{ref(prefix + name)}/{more}" for more in ("", "?show=1") if prefix + name
            ]
    for path in paths:
        response = client.get(path)
        assert response.status_code == 200, path
        assert_tame(response.content.decode(), path)


def test_nothing_of_a_postgres_gets_out_of_its_cell(
    world: World, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    furnish_postgres(world)
    client = as_operator(alice)
    with world.postgres.connect(application_name="<script>alert(1)</script>"):
        for route in server_pages("postgres"):
            response = client.get(route.path("postgres-dev"))
            assert response.status_code == 200, route.name
            assert_tame(response.content.decode(), route.name)


@pytest.mark.parametrize(
    "path",
    ["keyspace/!!!/", "keyspace/A/", "keyspace/?cursor=zzz", "keyspace/?pattern=" + "*" * 300, "keyspace/?type=%00"],
)
def test_a_url_that_was_tampered_with_gets_an_answer_and_no_error_page(
    path: str, world: World, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    assert as_operator(alice).get(f"/servers/redis-dev/{path}").status_code in (200, 400, 404)
