"""Look at every backup again: `python manage.py rescan_backups`. After a restore of the folder, a moved disk, or now and then."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.backups import folder
from apps.backups.folder import Backup
from apps.backups.sealed_file import BackupBroken


class Command(BaseCommand):
    help = "Look at every backup in BACKUP_FOLDER, remove what killed runs left, and say which are broken. The folder is the list."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("server", nargs="?", default="", help="The key of one server.")
        parser.add_argument(
            "--whole", action="store_true", help="Read every file to its end: authenticated and unpacked."
        )

    def handle(self, *args: Any, server: str, whole: bool, **options: Any) -> None:
        removed = folder.clean()
        counts = {"whole": 0, "broken": 0}
        for key in [server] if server else folder.servers():
            for name in folder.names(key):
                problem = _problem(folder.look(key, name), whole=whole)
                counts["broken" if problem else "whole"] += 1
                self.stdout.write(f"{key}/{name}: {problem or 'whole'}")
        self.stdout.write(f"{counts['whole']} whole, {counts['broken']} broken, {removed} unfinished removed.")
        if counts["broken"]:
            raise CommandError("Some are broken.")


def _problem(backup: Backup, *, whole: bool) -> str:
    if backup.problem or not whole:
        return backup.problem
    try:
        folder.check(backup)
    except BackupBroken as error:
        return error.message
    return ""
