"""RQ: two queues, one worker, some failures, some jobs for later."""

from __future__ import annotations

import random
from datetime import timedelta

from redis import Redis
from rq import Queue

from apps.demo.traffic import Tick
from apps.demo.traffic.jobs import build_report, send_mail

QUEUES = ("emails", "reports")
MOST_WAITING = 400


def ticks(connection: Redis) -> list[Tick]:
    emails, reports = (Queue(name, connection=connection) for name in QUEUES)

    def mail() -> None:
        if emails.count < MOST_WAITING:
            address = f"customer{random.randrange(20_000)}@example.com"
            emails.enqueue(send_mail, address, random.choice(["welcome", "receipt", "reminder"]), failure_ttl=86400)

    def report() -> None:
        if reports.count < 40:
            reports.enqueue(
                build_report, f"2026-{random.randrange(1, 13):02}", random.randrange(100, 90_000), failure_ttl=86400
            )

    def campaign() -> None:
        """A burst that takes the worker a minute."""
        for _ in range(150):
            mail()

    def later() -> None:
        emails.enqueue_in(timedelta(minutes=random.randrange(5, 90)), send_mail, "later@example.com", "reminder")

    return [
        Tick(name="rq mail", every_s=0.7, do=mail),
        Tick(name="rq report", every_s=6, do=report),
        Tick(name="rq campaign", every_s=150, do=campaign),
        Tick(name="rq later", every_s=45, do=later),
    ]
