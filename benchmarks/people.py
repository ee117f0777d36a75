"""Who the benchmarks act as."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from apps.accounts.models import Operator
from apps.operations.actor import Actor


def actor(operator: Operator) -> Actor:
    return Actor(
        operator=operator,
        session="s" * 64,
        address="127.0.0.1",
        fresh_until=timezone.now() + timedelta(minutes=5),
        proofs=("password",),
        request_id="",
    )
