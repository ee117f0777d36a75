"""Add an operator from the terminal: for the first admin of an installation, and when no admin can sign in any more."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apps.accounts import people
from apps.accounts.forms import NAME
from apps.accounts.models import Role, ScopeKind

BY = "the terminal"


class Command(BaseCommand):
    help = "Add an operator with a role everywhere, and print a one-time code to set a password with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", choices=[role.value for role in Role])
        parser.add_argument("--reason", default="added from the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            NAME(options["username"])
            operator, code = people.invite(options["username"], by=BY)
        except (ValidationError, people.Refused) as refused:
            raise CommandError(str(getattr(refused, "message", refused))) from refused
        if options["role"]:
            everywhere = people.Grant(
                role=Role(options["role"]),
                scope_kind=ScopeKind.ALL,
                scope_key="",
                expires_at=None,
                reason=options["reason"],
            )
            people.grant(operator, everywhere, by=BY)
        self.stdout.write(f"{operator}: open {settings.PUBLIC_URL}/accounts/welcome/ and enter the code {code}")
