"""Connections to brokers are kept by the process, for all of Celery's applications in it."""

from __future__ import annotations

from typing import Any

from celery import current_app
from kombu import pools


def forget() -> None:
    """Close them: every application takes new ones, the console's own too."""
    pools.reset()
    app: Any = current_app
    app.amqp._producer_pool = app._pool = None
