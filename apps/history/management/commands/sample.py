"""Sample all servers once, by hand: `python manage.py sample`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.history.models import LastKnown
from apps.history.sampler import sample_due


class Command(BaseCommand):
    help = "Ask every registered server for its figures now, whether due or not, and say what came of it."

    def handle(self, *args: Any, **options: Any) -> None:
        done = sample_due(every_s=0)
        for row in LastKnown.objects.filter(server__key__in=done.failed).select_related("server"):
            self.stdout.write(f"{row.server.key}: {row.error_text}")
        well_count = done.asked_count - len(done.failed)
        self.stdout.write(f"{well_count} of {done.asked_count} servers answered in {done.took_s:.2f} s.")
