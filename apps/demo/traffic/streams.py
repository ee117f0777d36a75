"""Two streams. Orders with two groups: billing keeps up, analytics falls behind and forgets some, which holds up trimming.
Shipments, which both groups acknowledge and nobody trims: something to trim.
"""

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
SHIPMENTS = "events:shipments"
MOST_ENTRIES = 20_000
MOST_BEHIND = 6_000


def prepare(connection: Redis) -> None:
    for stream, group in ((STREAM, "billing"), (STREAM, "analytics"), (SHIPMENTS, "tracking"), (SHIPMENTS, "stock")):
        with contextlib.suppress(ResponseError):
            connection.xgroup_create(stream, group, id="0", mkstream=True)


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

    def ship() -> None:
        carrier = random.choice(["north", "south"])
        connection.xadd(SHIPMENTS, {"parcel": random.randrange(90_000), "carrier": carrier}, maxlen=MOST_ENTRIES)

    def follow() -> None:
        for group in ("tracking", "stock"):
            _work(connection, group, f"{group}-1", most=50, stream=SHIPMENTS)

    return [
        Tick(name="stream ship", every_s=0.5, do=ship),
        Tick(name="stream follow", every_s=3, do=follow),
        Tick(name="stream produce", every_s=0.25, do=produce),
        Tick(name="stream billing", every_s=0.5, do=bill),
        Tick(name="stream analytics", every_s=1.0, do=analyse),
    ]


def _work(
    connection: Redis, group: str, consumer: str, *, most: int, forget_ratio: float = 0.0, stream: str = STREAM
) -> None:
    answer: Any = connection.xreadgroup(group, consumer, {stream: ">"}, count=most)
    for _stream, entries in answer:
        done = [entry_id for entry_id, _fields in entries if random.random() >= forget_ratio]
        if done:
            connection.xack(stream, group, *done)


def _lag(connection: Redis, group: str) -> int:
    groups: Any = connection.xinfo_groups(STREAM)
    return next((int(g.get("lag") or 0) for g in groups if g["name"] in (group, group.encode())), 0)
