"""A small Celery application of the tests, published to and worked on for real."""

from __future__ import annotations

import os
import time

from celery import Celery

from tests import celery_pools


def application(url: str, **options: object) -> Celery:
    """A new application on new connections: kombu remembers on a connection which queues it has declared."""
    celery_pools.forget()
    made = Celery("tests", broker=url, set_as_current=False)
    made.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, **options)

    @made.task(name="work.sleep")
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    @made.task(name="work.greet")
    def greet(name: str) -> str:
        return f"hello {name}"

    return made


app = application(os.environ.get("TESTS_BROKER", "memory://"))
