"""A stream of orders with two groups: billing keeps up, analytics falls behind until it is let catch up."""

from __future__ import annotations

import contextlib
import json
import random
import time
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from apps.demo.traffic import Tick

STREAM = "events:orders"
MOST_ENTRIES = 20_000
MOST_BEHIND = 6_000


def prepare(connection: Redis) -> None:
    for group in ("billing", "analytics"):
        with contextlib.suppress(ResponseError):
            connection.xgroup_create(STREAM, group, id="0", mkstream=True)


def ticks(connection: Redis) -> list[Tick]:
    def produce() -> None:
        order = {"order": random.randrange(150_000), "cents": random.randrange(500, 90_000), "at": time.time()}
        connection.xadd(
            STREAM, {"type": random.choice(["placed", "paid", "sent"]), "body": json.dumps(order)}, maxlen=MOST_ENTRIES
        )

    def bill() -> None:
        _work(connection, "billing", "billing-1", most=10)

    def analyse() -> None:
        """Slower than the orders come, and one entry in fifty is never acknowledged."""
        behind = _lag(connection, "analytics")
        _work(
            connection,
            "analytics",
            f"analytics-{random.randrange(1, 3)}",
            most=2 if behind < MOST_BEHIND else 500,
            forget_ratio=0.02,
        )

    return [
        Tick(name="stream produce", every_s=0.25, do=produce),
        Tick(name="stream billing", every_s=0.5, do=bill),
        Tick(name="stream analytics", every_s=1.0, do=analyse),
    ]


def _work(connection: Redis, group: str, consumer: str, *, most: int, forget_ratio: float = 0.0) -> None:
    answer: Any = connection.xreadgroup(group, consumer, {STREAM: ">"}, count=most)
    for _stream, entries in answer:
        done = [entry_id for entry_id, _fields in entries if random.random() >= forget_ratio]
        if done:
            connection.xack(STREAM, group, *done)


def _lag(connection: Redis, group: str) -> int:
    groups: Any = connection.xinfo_groups(STREAM)
    return next((int(g.get("lag") or 0) for g in groups if g["name"] in (group, group.encode())), 0)
