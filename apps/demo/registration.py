"""Puts the demo's servers into the console, marked as demo, through the same rows as anybody's servers."""

from __future__ import annotations

from apps.demo.accounts import account_of
from apps.demo.places import Servers
from apps.engine.target import Kind, Profile
from apps.servers.models import Credential, Server
from apps.servers.probing import probe_servers

REDIS_KEY, POSTGRES_KEY = "demo-redis", "demo-postgres"


def is_wanted() -> bool:
    """The demo is for an empty console: no server registered but its own."""
    return not Server.objects.filter(is_demo=False).exists()


def register(servers: Servers, passwords: dict[str, str]) -> None:
    """Insert or refresh both rows: the socket folders move with the machine's temporary folder."""
    _server(
        REDIS_KEY,
        Kind.REDIS,
        host=str(servers.redis.socket),
        port=6379,
        database="",
        roles=["cache", "queue", "stream"],
        environment="dev",
        password=passwords["signalbox"],
    )
    _server(
        POSTGRES_KEY,
        Kind.POSTGRES,
        host=str(servers.postgres.socket_dir),
        port=servers.postgres.port,
        database="shop",
        roles=["primary"],
        environment="dev",
        password=passwords["signalbox"],
    )


def _server(
    key: str, kind: Kind, *, host: str, port: int, database: str, roles: list[str], environment: str, password: str
) -> None:
    server, _ = Server.objects.update_or_create(
        key=key,
        defaults={
            "kind": kind,
            "environment": environment,
            "addresses": [{"host": host, "port": port}],
            "database": database,
            "roles": roles,
            "tags": ["demo"],
            "is_demo": True,
            "created_by": "demo",
        },
    )
    for profile in Profile:
        Credential.objects.keep(server, profile, username=account_of(profile), password=password)


def probe() -> None:
    """Ask once what the console's accounts may do, as registering by form does."""
    probe_servers(Server.objects.filter(is_demo=True))


def unregister() -> None:
    """Take both out of the console, for example when a server of one's own is registered."""
    Server.objects.filter(is_demo=True).delete()
