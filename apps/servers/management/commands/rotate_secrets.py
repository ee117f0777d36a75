"""manage.py rotate_secrets [--check]: after a new key was put first into SECRETBOX_KEYS, before an old one is taken out."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.servers import secrets
from apps.servers.rotation import rotate


class Command(BaseCommand):
    help = (
        "Seal the passwords and keys of servers and the seeds of second factors with the newest key."
        " --check only counts what each key sealed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; fail when an older key is still needed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        done = rotate(only_check=options["check"])
        newest = secrets.box().kid
        for kid, count in sorted(done.by_key.items()):
            self.stdout.write(
                f"{kid}: {count} secret{'' if count == 1 else 's'}{' (newest key)' if kid == newest else ''}"
            )
        for line in done.unusable:
            self.stderr.write(line)
        if not options["check"]:
            self.stdout.write(f"{done.rotated_count} sealed again with {newest}.")
        older = sum(count for kid, count in done.by_key.items() if kid != newest)
        if done.unusable or (options["check"] and older):
            raise CommandError(
                f"{len(done.unusable)} cannot be opened, {older if options['check'] else 0} need an older key."
            )
