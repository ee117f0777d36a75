"""Registered servers for the pages of backups: the same as those of upkeep; and a certificate for servers far away."""

from tests.engine.conftest import certificate
from tests.upkeep.conftest import registered_postgres, registered_redis

__all__ = ["certificate", "registered_postgres", "registered_redis"]
