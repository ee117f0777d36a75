"""Write the end of the audit's chain to its anchor files now, before somebody else gets at the database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations import anchors


class Command(BaseCommand):
    help = "Anchor the audit now. The console does it by itself every ten minutes in which a row was added."

    def handle(self, *args: Any, **options: Any) -> None:
        files = ", ".join(map(str, anchors.anchor_files()))
        try:
            made = anchors.drop_anchor()
        except OSError as error:
            raise CommandError(f"No anchor could be written to {files}: {error.strerror}.") from error
        if made is None:
            self.stdout.write("Nothing was added since the last anchor.")
        else:
            self.stdout.write(f"Row {made.seq:,} is anchored in {files}.")
