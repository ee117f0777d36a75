"""Celery: two queues with a worker, tasks with an ETA, and a queue that nobody works on any more."""

from __future__ import annotations

import random
from typing import Any

from celery import Celery
from redis import Redis

from apps.demo.traffic import Tick

FORGOTTEN = "legacy_sync"
MOST_FORGOTTEN = 316
MOST_WAITING = 300


def ticks(app: Celery, connection: Redis) -> list[Tick]:
    def send(task: str, queue: str, most: int, *args: object, **options: Any) -> None:
        if int(connection.llen(queue)) < most:
            app.send_task(task, args=args, queue=queue, **options)

    def thumbnail() -> None:
        send("shop.thumbnail", "thumbnails", MOST_WAITING, random.randrange(90_000))

    def invoice() -> None:
        send(
            "shop.invoice",
            "invoices",
            MOST_WAITING,
            random.randrange(150_000),
            f"customer {random.randrange(20_000)}",
            priority=random.choice([0, 3, 9]),
        )

    def later() -> None:
        send("shop.thumbnail", "thumbnails", MOST_WAITING, 1, countdown=random.randrange(60, 600))

    def month_end() -> None:
        """A burst that takes the worker a minute."""
        for _ in range(200):
            invoice()

    def forgotten() -> None:
        send("shop.legacy_sync", FORGOTTEN, MOST_FORGOTTEN, random.randrange(9_000))

    return [
        Tick(name="celery thumbnail", every_s=0.9, do=thumbnail),
        Tick(name="celery invoice", every_s=1.7, do=invoice),
        Tick(name="celery later", every_s=60, do=later),
        Tick(name="celery month end", every_s=180, do=month_end),
        Tick(name="celery forgotten", every_s=2.5, do=forgotten),
    ]
