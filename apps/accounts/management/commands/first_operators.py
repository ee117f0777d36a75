"""Make the first operators, once: a maintainer, a viewer and an admin, with passwords that are printed and kept nowhere."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from apps.accounts.models import Assignment, Operator, Role, ScopeKind

FIRST = (Role.MAINTAINER, Role.VIEWER, Role.ADMIN)
LETTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789"
LENGTH = 20


def random_password() -> str:
    """115 bits without letters that look alike."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


class Command(BaseCommand):
    help = "Make the operators maintainer, viewer and admin when there is no operator yet. Prints their passwords once."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if Operator.objects.exists():
            self.stderr.write("There are operators already: nothing was made.")
            return
        for role in FIRST:
            password = random_password()
            operator = Operator.objects.create_user(role.value, password, note="made at the first start")
            Assignment.objects.create(
                operator=operator,
                role=role,
                scope_kind=ScopeKind.ALL,
                granted_by="first_operators",
                reason="first start",
            )
            self.stdout.write(f"{role.value:<12}{password}")
