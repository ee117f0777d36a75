"""Where the demo lives: its folder, its passwords (made once), its two servers."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.engine.embedded.binaries import find_postgres, find_redis
from apps.engine.embedded.place import write_private
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis

ACCOUNTS = ("signalbox", "app-web", "app-worker", "reporting", "shop")


def folder() -> Path:
    return Path(settings.DATA) / "demo"


def passwords() -> dict[str, str]:
    """One random password an account, kept in a file only this user can read."""
    path = folder() / "passwords.json"
    if not path.exists():
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps({name: secrets.token_urlsafe(18) for name in ACCOUNTS}))
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    redis: EmbeddedRedis
    postgres: EmbeddedPostgres


def servers() -> Servers:
    """The two embedded servers, not started. Errors: EmbeddedError when the machine has no binaries and none can be had."""
    cache = Path(settings.DATA) / "binaries"
    binaries = find_postgres(cache)
    has_statistics = not any("pg_stat_statements" in lack for lack in binaries.lacks)
    return Servers(
        redis=EmbeddedRedis(
            find_redis(cache),
            folder() / "redis",
            settings={
                "save": '"600 1"',
                "maxmemory": "256mb",
                "maxmemory-policy": "allkeys-lru",
                "slowlog-log-slower-than": "5000",
                "slowlog-max-len": "256",
                "latency-monitor-threshold": "20",
            },
        ),
        postgres=EmbeddedPostgres(
            binaries,
            folder() / "postgres",
            preload=("pg_stat_statements",) if has_statistics else (),
            settings={
                "max_connections": "60",
                "shared_buffers": "64MB",
                "log_min_duration_statement": "1000",
                "track_io_timing": "on",
                "synchronous_commit": "off",
                "autovacuum_naptime": "30s",
            },
        ),
    )
