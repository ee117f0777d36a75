"""manage.py load_servers: register what servers.toml declares. Run at every start; a second run changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.servers.declaration import DeclarationError, load


class Command(BaseCommand):
    help = (
        "Register the servers that servers.toml declares. No file is no error; a wrong server does not stop the others."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=None, help="default: SERVERS_FILE, or ./servers.toml")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"] or settings.SERVERS_FILE
        if options["file"] is None and not path.exists():
            self.stdout.write(f"No {path}: servers are registered by form or by manage.py add_server.")
            return
        try:
            loaded = load(path)
        except DeclarationError as error:
            raise CommandError(str(error)) from error
        for word in ("added", "changed", "unchanged"):
            for key in getattr(loaded, word):
                self.stdout.write(f"{key}: {word}")
        for key in loaded.undeclared:
            self.stdout.write(
                f"{key}: no longer declared; it stays registered and can now be changed and removed by form"
            )
        for key, reasons in loaded.refused.items():
            for reason in reasons:
                self.stderr.write(f"{key}: {reason}")
        if loaded.refused:
            raise CommandError(f"{len(loaded.refused)} of the declared servers are wrong; the others were loaded.")
