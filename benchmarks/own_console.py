"""A console of a benchmark's own: its data in a folder, its tables made, no broker."""

from __future__ import annotations

import os
from pathlib import Path


def set_up(folder: Path) -> None:
    """Once a process, before anything of Django is imported."""
    os.environ |= {
        "SIGNALBOX_DATA": str(folder),
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "ALLOW_SOCKET_TARGETS": "1",
        "REQUIRE_SECOND_FACTOR": "0",
        "LOG_LEVEL": "ERROR",
        "BROKER_URL": "redis://127.0.0.1:1/0",
    }
    from apps.engine.keys import make_keys

    make_keys(folder / "keys")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", "-v0")
