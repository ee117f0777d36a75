"""The small world of the system tests: a real Redis and a real PostgreSQL in every environment."""

from tests.system.conftest import world

__all__ = ["world"]
