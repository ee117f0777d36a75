"""What the demo's RQ and Celery workers run: invented work of a small shop, some of it failing as such work does."""

from __future__ import annotations

import random
import time

from celery import Celery
from kombu import Queue


class MailRefused(Exception):
    pass


def send_mail(address: str, template: str) -> str:
    time.sleep(random.uniform(0.05, 0.3))
    if random.random() < 0.04:
        raise MailRefused(f"550 5.1.1 <{address}>: recipient address rejected")
    if random.random() < 0.01:
        raise TimeoutError("smtp.example.net did not answer within 10 s")
    return f"{template} sent"


def build_report(month: str, rows: int) -> dict[str, object]:
    time.sleep(random.uniform(0.5, 2.0))
    if random.random() < 0.08:
        raise ValueError(f"the ledger of {month} does not add up: {rows} rows, 3 without an account")
    return {"month": month, "rows": rows}


def shop(broker_url: str) -> Celery:
    """The demo's Celery application. Its messages and workers are Celery's own."""
    app = Celery("demo-shop", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_queues=[Queue("thumbnails"), Queue("invoices"), Queue("legacy_sync")],
        task_default_queue="thumbnails",
        worker_prefetch_multiplier=2,
        task_acks_late=True,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
    )

    @app.task(name="shop.thumbnail", bind=True, max_retries=2)
    def thumbnail(self: object, picture: int, width_px: int = 320) -> None:
        time.sleep(random.uniform(0.05, 0.4))

    @app.task(name="shop.invoice")
    def invoice(order: int, customer: str) -> None:
        time.sleep(random.uniform(0.1, 0.6))

    @app.task(name="shop.legacy_sync")
    def legacy_sync(record: int) -> None:
        time.sleep(0.1)

    return app
