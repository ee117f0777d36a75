"""manage.py deploy_token add|list|revoke: tokens with which machines put deploy marks on the timeline."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.history import deploys
from apps.history.deploy_models import DeployToken

BY = "the terminal"


class Command(BaseCommand):
    help = "Make, list and revoke the tokens of POST /marks/deploy."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="make a token and print it, this once")
        add.add_argument("name", help="what deploys, such as ci-shop")
        add.add_argument("--environment", action="append", default=[], help="it marks every server of this environment")
        add.add_argument("--server", action="append", default=[], help="it marks this server")
        add.add_argument("--days", type=int, help="how long it is good for; until it is revoked without")
        verbs.add_parser("list", help="all tokens, newest first")
        verbs.add_parser("revoke", help="end a token now").add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _add(self, name: str, environment: list[str], server: list[str], days: int | None, **_: Any) -> None:
        expires_at = timezone.now() + timedelta(days=days) if days else None
        try:
            token, text = deploys.add_token(
                name, environments=environment, servers=server, by=BY, expires_at=expires_at
            )
        except deploys.Refused as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"{token}: {text}\nIt is shown this once; only its hash is kept.")

    def _list(self, **_: Any) -> None:
        tokens = list(DeployToken.objects.all())
        for token in tokens:
            places = ", ".join([*token.environments, *token.servers])
            used = f"used {token.used_at:%Y-%m-%d %H:%M} UTC" if token.used_at else "never used"
            self.stdout.write(f"{token.name}  {places}  {_standing(token)}  {used}")
        if not tokens:
            self.stdout.write("No token was made yet.")

    def _revoke(self, name: str, **_: Any) -> None:
        token = DeployToken.objects.in_force().filter(name=name).first()
        if token is None:
            raise CommandError(f"There is no token {name} in force.")
        deploys.revoke(token, by=BY)
        self.stdout.write(f"{token} marks nothing any more.")


def _standing(token: DeployToken) -> str:
    if token.revoked_at:
        return f"revoked {token.revoked_at:%Y-%m-%d %H:%M} UTC by {token.revoked_by}"
    if token.expires_at is None:
        return "in force"
    return f"{'in force until' if token.is_in_force else 'ended'} {token.expires_at:%Y-%m-%d %H:%M} UTC"
