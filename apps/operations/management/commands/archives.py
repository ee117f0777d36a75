"""Originals that runs kept: list them, drop one before its time, keep one longer."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.engine import units
from apps.operations import archives, audit
from apps.operations.models import StoredArchive
from apps.operations.models.audit import Phase

BY = "the terminal"
LONGEST_H = 24 * 365


class Command(BaseCommand):
    help = "List the archives of runs, drop one, or keep one longer. What is done is in the audit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="every archive that is there").add_argument("--server", default="")
        verbs.add_parser("drop", help="from then on the run cannot be undone").add_argument("run", type=int)
        extend = verbs.add_parser("extend", help="keep it longer")
        extend.add_argument("run", type=int)
        extend.add_argument("--hours", type=int, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "list":
            self._list(options["server"])
        elif options["verb"] == "drop":
            self._drop(_archive(options["run"]))
        else:
            self._extend(_archive(options["run"]), options["hours"])

    def _list(self, server_key: str) -> None:
        found = StoredArchive.objects.filter(dropped_at=None).select_related("run").order_by("expires_at")
        for row in found.filter(server_key=server_key) if server_key else found:
            self.stdout.write(
                f"run {row.run_id}  {row.server_key}  {row.run.action}  {row.settled_count:,} originals"
                f"  {' '.join(units.disk(row.size_bytes))}  until {row.expires_at:%Y-%m-%d %H:%M} UTC"
            )

    def _drop(self, row: StoredArchive) -> None:
        if row.run.is_open:
            raise CommandError(f"Run {row.run_id} goes on: stop it first.")
        with transaction.atomic():
            _write_down("archive.drop", row)
            archives.drop(row)
        self.stdout.write(f"The archive of run {row.run_id} is gone: the run cannot be undone any more.")

    def _extend(self, row: StoredArchive, hours: int) -> None:
        if not 1 <= hours <= LONGEST_H:
            raise CommandError(f"--hours takes 1 to {LONGEST_H:,}.")
        with transaction.atomic():
            _write_down("archive.extend", row, hours=hours)
            archives.extend(row, hours=hours)
        row.refresh_from_db()
        self.stdout.write(f"The archive of run {row.run_id} is kept until {row.expires_at:%Y-%m-%d %H:%M} UTC.")


def _archive(run: int) -> StoredArchive:
    row = StoredArchive.objects.filter(run=run, dropped_at=None).select_related("run").first()
    if row is None:
        raise CommandError(f"Run {run} has no archive, or it was dropped. `manage.py archives list` shows all.")
    return row


def _write_down(action: str, row: StoredArchive, **facts: int) -> None:
    audit.append(
        Phase.CONSOLE, actor=BY, action=action, server_key=row.server_key, environment=row.run.environment,
        run_number=row.run_id, result="done", **facts,
    )  # fmt: skip
