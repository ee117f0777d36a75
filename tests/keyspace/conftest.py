"""A server of the console that is a real, empty Redis."""

from __future__ import annotations

import pytest

from apps.engine.connections.redis import forget_connections
from apps.engine.target import Profile, Target
from apps.servers.models import Credential, Server
from tests.real_servers import RedisServer


@pytest.fixture
def cache(db: None, redis_clean: RedisServer) -> Server:
    """Registered in dev, reached through its socket."""
    forget_connections()
    return Server.objects.create(
        key="cache", kind="redis", environment="dev", addresses=[{"host": str(redis_clean.socket), "port": 0}]
    )


@pytest.fixture
def target(cache: Server) -> Target:
    return cache.target()


def limited(cache: Server, server: RedisServer, *rules: str) -> Server:
    """The same server through an account that may do what the rules say."""
    server.command("ACL", "SETUSER", "limited", "reset", "on", ">hidden", *rules)
    Credential.objects.keep(cache, Profile.MONITOR, username="limited", password="hidden")
    return Server.objects.prefetch_related("credentials").get(pk=cache.pk)
