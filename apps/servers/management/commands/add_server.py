"""manage.py add_server NAME --kind redis --address HOST:PORT ...: register one server from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.engine.errors import EngineError
from apps.engine.target import Kind
from apps.servers.declaration import defaults
from apps.servers.forms import ServerForm
from apps.servers.models import Server, WorkloadRole
from apps.servers.reads import test_connection
from apps.servers.registration import save

FROM_INPUT = "-"


class Command(BaseCommand):
    help = "Register a server. The password is a reference (env:NAME, file:/path), or - to read it from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="its name: small letters, digits and hyphens")
        parser.add_argument("--kind", required=True, choices=list(Kind))
        parser.add_argument("--address", required=True, action="append", help="host:port; may be given several times")
        parser.add_argument("--environment", required=True, choices=list(settings.ENVIRONMENTS))
        parser.add_argument("--database", default="")
        parser.add_argument("--user", default="", help="the account that looks")
        parser.add_argument("--password", default="", metavar="REFERENCE|-")
        parser.add_argument("--role", action="append", default=[], choices=WorkloadRole.values)
        parser.add_argument("--tag", action="append", default=[])
        parser.add_argument("--tls", action="store_true", help="with the system's roots unless --tls-ca is given")
        parser.add_argument("--tls-ca", type=Path)
        parser.add_argument("--tls-certificate", type=Path)
        parser.add_argument("--tls-key", default="", metavar="REFERENCE")
        parser.add_argument(
            "--try", action="store_true", dest="try_first", help="connect once first; register only if it works"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from_input = options["password"] == FROM_INPUT
        if from_input and options["tls_key"]:
            raise CommandError("With a password from standard input there is no client key; give both as references.")
        form = ServerForm(_fields(options), environments=settings.ENVIRONMENTS, references=not from_input)
        if not form.is_valid():
            raise CommandError("\n".join(f"{name}: {e}" for name, errors in form.errors.items() for e in errors))
        registration = form.registration()
        if options["try_first"]:
            try:
                report = test_connection(registration.target())
            except EngineError as error:
                raise CommandError(f"{error.message} {error.way_out}".strip()) from error
            self.stdout.write(f"{report.identity.product} {report.identity.version}, {report.identity.role}")
        server: Server = save(registration, by="add_server")
        self.stdout.write(f"{server.key} is registered.")


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The command line as the fields of the form."""
    password = options["password"]
    return {
        **defaults(),
        "key": options["key"],
        "kind": options["kind"],
        "addresses": "\n".join(options["address"]),
        "environment": options["environment"],
        "database": options["database"],
        "roles": options["role"],
        "tags": " ".join(options["tag"]),
        "monitor_username": options["user"],
        "monitor_password": sys.stdin.readline().rstrip("\n") if password == FROM_INPUT else password,
        "tls": "own" if options["tls_ca"] else "system" if options["tls"] else "off",
        "tls_ca": _text(options["tls_ca"]),
        "tls_certificate": _text(options["tls_certificate"]),
        "tls_key": options["tls_key"],
    }


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise CommandError(f"{path} cannot be read.") from error
