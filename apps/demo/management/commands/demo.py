"""`manage.py demo` runs the demo until it is stopped; `--wanted` only tells, by its exit code, whether it should run."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.demo import registration
from apps.demo.run import run
from apps.engine.embedded.errors import EmbeddedError


class Command(BaseCommand):
    help = "Run two private servers with invented traffic, and register them as demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wanted", action="store_true", help="Exit with 0 when the demo should run, with 1 when not."
        )
        parser.add_argument("--remove", action="store_true", help="Take the demo's servers out of the console.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wanted"]:
            sys.exit(0 if registration.is_wanted() else 1)
        if options["remove"]:
            registration.unregister()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            run(stop)
        except EmbeddedError as error:
            raise CommandError(f"{error.message} {error.way_out}") from error
