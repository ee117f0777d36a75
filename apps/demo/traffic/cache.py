"""A cache with and without TTLs, some very large keys, slow commands now and then, and denied ones."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import zlib

from redis import Redis
from redis.exceptions import NoPermissionError

from apps.demo.traffic import Tick

CARTS = 3_000
SESSIONS = 2_000
USERS = 20_000


def prepare(connection: Redis) -> None:
    """About 45 MB once: what a small shop keeps. Done again only when the data is gone."""
    if connection.exists("catalog:index"):
        return
    pipe = connection.pipeline(transaction=False)
    for number in range(CARTS):
        _cart(pipe, number)
    for number in range(SESSIONS):
        pipe.set(
            f"session:{random.randbytes(12).hex()}",
            json.dumps({"user": number, "csrf": random.randbytes(8).hex()}),
            ex=random.randrange(600, 86_400),
        )
    for number in range(600):
        pipe.set(f"config:flag:{number}", random.choice(["on", "off"]))
    for number in range(400):
        pipe.set(
            f"page:{number}",
            zlib.compress(json.dumps({"html": "<li>shoe</li>" * random.randrange(20, 400)}).encode()),
            ex=random.randrange(60, 7200),
        )
        pipe.set(f"lock:order:{number}", "worker-7", ex=3600 if number % 9 else None)
    pipe.execute()
    _large(connection)


def _cart(pipe: Redis, number: int) -> None:
    items = [
        {
            "sku": f"HL-{random.randrange(9999):04}",
            "qty": random.randrange(1, 5),
            "price_cents": random.randrange(500, 30_000),
        }
        for _ in range(random.randrange(1, 9))
    ]
    key = f"cart:user:{number}"
    pipe.hset(
        key,
        mapping={
            "currency": "EUR",
            "customer": json.dumps({"id": number, "tier": random.choice(["gold", "new"])}),
            "items": zlib.compress(json.dumps(items).encode()),
            "source": "web",
        },
    )
    pipe.expire(key, random.randrange(600, 6 * 3600))


def _large(connection: Redis) -> None:
    for start in range(0, 60_000, 5_000):
        connection.hset(
            "catalog:index",
            mapping={f"sku:{n}": f"{random.randrange(10**6)}:{n % 97}" for n in range(start, start + 5_000)},
        )
        connection.sadd("newsletter:subscribers", *(f"customer{n}@example.com" for n in range(start, start + 5_000)))
        connection.zadd(
            "ranking:products", {f"product:{n}": random.random() * 1000 for n in range(start, start + 5_000)}
        )
        connection.rpush("audit:trail", *(json.dumps({"n": n, "what": "login"}) for n in range(start, start + 5_000)))
    connection.set("export:orders.csv.gz", gzip.compress(random.randbytes(1_500_000)))
    connection.set(b"photo:\x89PNG\xff\xfe", b"\x89PNG\r\n\x1a\n" + random.randbytes(4_000))
    connection.pfadd("visitors:today", *range(2_000))
    connection.setbit("active:bits", 90_000, 1)


def ticks(connection: Redis, reporting: Redis) -> list[Tick]:
    def serve() -> None:
        pipe = connection.pipeline(transaction=False)
        for _ in range(12):
            pipe.hgetall(f"cart:user:{random.randrange(CARTS * 2)}")
            pipe.get(f"page:{random.randrange(500)}")
        _cart(pipe, random.randrange(CARTS))
        pipe.zincrby("ranking:products", 1, f"product:{random.randrange(60_000)}")
        pipe.execute()

    def render() -> None:
        connection.set(
            f"page:{random.randrange(400)}",
            zlib.compress(b"<li>shoe</li>" * random.randrange(20, 400)),
            ex=random.randrange(60, 7200),
        )

    def report() -> None:
        """What somebody's nightly script does at noon: reads whole collections at once."""
        random.choice([
            lambda: reporting.smembers("newsletter:subscribers"),
            lambda: reporting.hgetall("catalog:index"),
            lambda: reporting.zrange("ranking:products", 0, -1, withscores=True),
            lambda: reporting.lrange("audit:trail", 0, -1),
        ])()  # fmt: skip

    def denied() -> None:
        with contextlib.suppress(NoPermissionError):
            reporting.execute_command(
                *random.choice([("FLUSHDB",), ("CONFIG", "GET", "*"), ("GET", "session:of-somebody")])
            )

    return [
        Tick(name="cache serve", every_s=0.2, do=serve),
        Tick(name="cache render", every_s=1.0, do=render),
        Tick(name="cache report", every_s=17, do=report),
        Tick(name="cache denied", every_s=40, do=denied),
    ]
