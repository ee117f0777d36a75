"""Make the console's own keys where there are none, for installations that are not started by `make run`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.engine.keys import make_keys


class Command(BaseCommand):
    help = "Write the missing keys into the data folder, readable by this user only. Never overwrites one."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        made = make_keys(settings.KEYS)
        self.stdout.write(f"{settings.KEYS}: {', '.join(made) if made else 'every key is there already'}")
