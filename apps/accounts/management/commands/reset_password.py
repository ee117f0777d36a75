"""Print a one-time code with which an operator sets a new password. The old password works until then."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.accounts import people
from apps.accounts.models import Operator


class Command(BaseCommand):
    help = "Print a one-time code for a new password; with --second-factor, take a lost second factor away as well."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--second-factor", action="store_true", help="remove the code app and the recovery codes")

    def handle(self, *args: Any, **options: Any) -> None:
        operator = Operator.objects.filter(username=options["username"].lower()).first()
        if operator is None or not operator.may_sign_in:
            raise CommandError("There is no such operator, or the operator is locked.")
        code = people.new_code(operator, by="the terminal")
        if options["second_factor"]:
            people.reset_second_factor(operator, by="the terminal")
        self.stdout.write(f"{operator}: open {settings.PUBLIC_URL}/accounts/welcome/ and enter the code {code}")
