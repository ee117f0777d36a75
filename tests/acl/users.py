"""Users of a Redis for the tests: made, looked at, signed in as."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.target import Profile
from apps.servers.models import Credential, Server
from tests.real_servers import RedisServer

CANARY = "CANARY-7f3a-correct-horse"
CANARY_HASH = sha256(CANARY.encode()).hexdigest()
OLD = "old-password-of-the-app"
OLD_HASH = sha256(OLD.encode()).hexdigest()
HOSTILE = b"app:<script>\xff%2e%2e'\"\\"


def channels(server: RedisServer, *words: str) -> list[str]:
    """Rules of channels, where the version has them."""
    return list(words) if server.version >= (6, 2, 0) else []


def make(server: RedisServer, name: bytes | str, *words: str | bytes, password: str = OLD) -> None:
    server.command("ACL", "SETUSER", name, "reset", "on", f">{password}", *channels(server, "resetchannels"), *words)


def lines(server: RedisServer) -> dict[bytes, bytes]:
    """Every user's line, by name."""
    return {line.split(b" ")[1]: line for line in server.command("ACL", "LIST")}


def names(server: RedisServer) -> set[bytes]:
    return set(server.command("ACL", "USERS"))


def signs_in(server: RedisServer, name: bytes | str, password: str) -> bool:
    client: Any = Redis(unix_socket_path=str(server.socket), protocol=2, socket_timeout=5)
    try:
        return bool(client.execute_command("AUTH", name, password))
    except RedisError:
        return False
    finally:
        client.close()


@contextmanager
def session(server: RedisServer, name: str, password: str = OLD) -> Iterator[Any]:
    """A connection that stays."""
    client = Redis(
        unix_socket_path=str(server.socket), username=str(name), password=password, protocol=2, client_name="app-1"
    )
    try:
        client.execute_command("CLIENT", "SETNAME", "app-1")  # type: ignore[no-untyped-call]  # connects
        yield client
    finally:
        client.close()


def register(*servers: RedisServer, key: str = "cache", environment: str = "dev", **accounts: str) -> Server:
    """A deployment of these nodes. `accounts` are users by profile, with the console's own password."""
    made = Server.objects.create(
        key=key,
        kind="redis",
        environment=environment,
        addresses=[{"host": str(server.socket), "port": 6379} for server in servers],
        load_budget_ratio=1.0,
    )
    for profile, username in accounts.items():
        Credential.objects.keep(made, Profile(profile), username=username, password=CONSOLE)
    return made


CONSOLE = "the-consoles-own-password"


def console_account(*servers: RedisServer, name: str = "console") -> str:
    """An account of the console's own that may do everything."""
    for server in servers:
        make(server, name, "~*", *channels(server, "&*"), "+@all", password=CONSOLE)
    return name


@contextmanager
def another_node(like: RedisServer, folder: Any, **settings: str) -> Iterator[RedisServer]:
    """One more server of the same version."""
    with EmbeddedRedis(like.embedded.binary, folder, settings=settings) as embedded:
        client = Redis(unix_socket_path=str(embedded.socket), socket_timeout=10, protocol=2)
        yield RedisServer(embedded=embedded, client=client)
        client.close()


def eventually(question: Callable[[], Any], *, within_s: float = 15.0) -> Any:
    """The first answer that is true; fails when there is none in time."""
    ends_at = time.monotonic() + within_s
    while not (answer := question()):
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.02)
    return answer
