"""manage.py permissions_doc [--check]: write docs/permissions.md from the table of capabilities."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.servers.permissions_page import permissions_page


class Command(BaseCommand):
    help = "Write docs/permissions.md. --check only compares, and fails when the file says something else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "permissions.md"
        page = permissions_page()
        if options["check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != page:
                raise CommandError("docs/permissions.md is not current: run manage.py permissions_doc.")
            return
        path.parent.mkdir(exist_ok=True)
        path.write_text(page, encoding="utf-8")
        self.stdout.write(f"{path} written.")
