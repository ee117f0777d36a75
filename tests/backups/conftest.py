"""Registered servers for the pages of backups: the same as those of upkeep."""

from tests.upkeep.conftest import registered_postgres, registered_redis

__all__ = ["registered_postgres", "registered_redis"]
