"""The notifier: an RQ worker of its own, so that no alert waits behind a run of two hours."""

from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections
from rq import Worker
from rq.serializers import JSONSerializer

from apps.operations import outbox


class Command(BaseCommand):
    help = "Deliver messages by e-mail and webhook, until it is stopped. Several may run side by side."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--burst", action="store_true", help="deliver what is queued, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        waiting = outbox.queue()
        worker = Worker([waiting], connection=waiting.connection, serializer=JSONSerializer)
        connections.close_all()  # each message is delivered by a fork, which opens its own
        worker.work(burst=options["burst"], with_scheduler=False, logging_level=logging.WARNING)
