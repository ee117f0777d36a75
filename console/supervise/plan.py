"""What this start is to be: read once from the environment, wrong combinations refused with what to write instead."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from console import environment as env

PROJECT = Path(__file__).resolve().parent.parent.parent
LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1"}


class CannotStart(Exception):
    """Why the console does not start, and what to do. Its text is all that the person at the terminal gets to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlan:
    """Where the console listens and keeps its data, and which parts it brings itself."""

    data: Path
    host: str
    port: int
    demo: bool
    broker_url: str  # empty: an embedded Redis is the broker
    certificate: str
    certificate_key: str

    @property
    def address(self) -> str:
        """What the web server binds to."""
        return LOOPBACK.get(self.host, self.host)

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def binaries(self) -> Path:
        """The cache of fetched server programs; the demo uses the same."""
        return self.data / "binaries"

    @property
    def url(self) -> str:
        """What a person types into a browser."""
        anywhere = self.host in ("0.0.0.0", "::")  # noqa: S104 - compared only
        name = "localhost" if self.host in LOOPBACK else socket.gethostname() if anywhere else self.host
        name = f"[{name}]" if ":" in name else name
        return env.text("PUBLIC_URL") or f"{'https' if self.certificate else 'http'}://{name}:{self.port}"

    def environment(self) -> dict[str, str]:
        """What every part of the console is started with: ours, plus what follows from this plan.

        A console that was started by hand on loopback may look at servers of the same machine.
        """
        defaults = {"ALLOW_LOOPBACK_TARGETS": "1", "ALLOW_SOCKET_TARGETS": "1"} if self.host in LOOPBACK else {}
        fixed = {
            "SIGNALBOX_DATA": str(self.data),
            "PORT": str(self.port),
            "PUBLIC_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "PYTHONUNBUFFERED": "1",
            **({"BROKER_URL": self.broker_url} if self.broker_url else {}),
        }
        return {**defaults, **os.environ, **fixed}


def read_plan() -> StartPlan:
    """Errors: CannotStart for a port that is none, and for plain HTTP on another address than loopback."""
    plan = StartPlan(
        data=Path(env.text("SIGNALBOX_DATA") or PROJECT / "data").expanduser().resolve(),
        host=env.text("HOST") or "localhost",
        port=env.number("PORT", 8000),
        demo=env.flag("DEMO", default=True),
        broker_url=env.text("BROKER_URL"),
        certificate=env.text("TLS_CERT"),
        certificate_key=env.text("TLS_KEY"),
    )
    if not 0 < plan.port < 65536:
        raise CannotStart(f"PORT={plan.port} is no port. Write a number from 1 to 65535.")
    if bool(plan.certificate) != bool(plan.certificate_key):
        raise CannotStart("TLS needs both files: TLS_CERT=... TLS_KEY=... make run")
    if plan.host not in LOOPBACK and not plan.certificate and not env.flag("INSECURE_HTTP"):
        raise CannotStart(
            f"HOST={plan.host} would send passwords over the network unencrypted.\n"
            "Give it a certificate (TLS_CERT=cert.pem TLS_KEY=key.pem), or, if that is what you want, INSECURE_HTTP=1."
        )
    return plan
