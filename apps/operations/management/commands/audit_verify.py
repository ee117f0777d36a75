"""Walk the audit's chain: for a cron job outside of the console, and for whoever does not trust its page."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations import audit_chain
from apps.operations.audit_chain import Verdict


class Command(BaseCommand):
    help = (
        "Verify the audit: every row, every link, every anchor. Ends with 0 when it is whole and with 1 when it is not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the verdict as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found = audit_chain.verify()
        audit_chain.keep(found)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": found.ok, **asdict(found)}))
        else:
            self._say(found)
        if not found.ok:
            raise CommandError(f"The chain is broken in {len(found.problems):,} places.", returncode=1)

    def _say(self, found: Verdict) -> None:
        for problem in found.problems:
            self.stdout.write(str(problem))
        if len(found.problems) == audit_chain.PROBLEMS_MOST:
            self.stdout.write("There may be more: these are the first.")
        if found.ok:
            span = f", {found.first_seq:,} to {found.last_seq:,}" if found.first_seq and found.last_seq else ""
            self.stdout.write(
                f"{found.rows_count:,} rows{span}, unbroken; {found.anchors_count:,} anchors agree. {found.took_s:.2f} s"
            )
        if not found.anchors_count:
            self.stdout.write("No anchor outside of the database: a tail that was cut off would not be found.")
