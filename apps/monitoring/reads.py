"""Is the console itself well? Each dependency asked once, with its latency."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from kombu import Connection

from apps.history.models import LastKnown
from apps.operations import outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """`needed` ones make the console unready when they fail; without the others it answers with less."""

    name: str
    ok: bool
    needed: bool
    latency_s: float
    message: str = ""


def dependencies() -> list[Dependency]:
    """Database, migrations, broker, sampler, notifier.

    Cost: four small queries and one PING; bounded by the broker's two seconds. Errors: none, they are the answer.
    """
    return [
        _asked("database", _database, needed=True),
        _asked("migrations", _migrations, needed=True),
        _asked("broker", _broker, needed=False),
        _asked("sampler", _sampler, needed=False),
        _asked("notifier", _notifier, needed=False),
    ]


def _asked(name: str, question: Callable[[], str], *, needed: bool) -> Dependency:
    begun = time.monotonic()
    try:
        message = question()
    except Exception as error:
        # The class only: a driver's text may name hosts and users, and this page needs no sign-in.
        message = type(error).__name__
    return Dependency(name=name, ok=not message, needed=needed, latency_s=time.monotonic() - begun, message=message)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} migrations are not applied" if missing else ""


def _broker() -> str:
    patience = {"socket_timeout": 1, "socket_connect_timeout": 1}
    with Connection(settings.BROKER_URL, connect_timeout=1, transport_options=patience) as broker:
        channel: Any = broker.default_channel
        channel.client.ping()
    return ""


def _sampler() -> str:
    """Nothing to sample is well; servers that nobody looked at for three intervals are not."""
    newest = LastKnown.objects.order_by("-tried_at").values_list("tried_at", flat=True).first()
    late = timedelta(seconds=max(60, 3 * settings.SAMPLE_EVERY_S))
    return "no server was sampled lately" if newest is not None and timezone.now() - newest > late else ""


def _notifier() -> str:
    """Known by what it leaves undone: no message is well, one that nobody tried for ten minutes is not."""
    late = outbox.late_count()
    return f"{late:,} messages wait and no notifier takes them" if late else ""
