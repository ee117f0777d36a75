"""Servers of the tests as the console sees them."""

from tests.targets import no_old_connections, postgres_here, redis_here

__all__ = ["no_old_connections", "postgres_here", "redis_here"]
