"""Starts the demo's servers, then everything that happens on them, until told to stop."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import psycopg
import structlog
from redis import Redis

from apps.demo import accounts, places, registration
from apps.demo.traffic import Tick, cache, celery_traffic, database, keep_doing, rq_traffic, streams
from apps.demo.traffic.jobs import shop
from apps.engine.connections import shell

log = structlog.get_logger(__name__)
DATABASE = "shop"


def run(stop: threading.Event) -> None:
    """Blocks until `stop` is set. Errors: EmbeddedError when a server cannot be started."""
    secrets = places.passwords()
    servers = places.servers()
    with ExitStack() as stack:
        stack.enter_context(servers.redis)
        stack.enter_context(servers.postgres)
        _furnish(servers, secrets)
        registration.register(servers, secrets)
        registration.probe()
        log.info("demo servers are up", redis=servers.redis.binary.label, postgres=servers.postgres.binaries.label)
        for worker in _workers(servers):
            stack.callback(worker.stop, timeout_s=10)
        _keep_busy(servers, secrets, stop)


def _furnish(servers: places.Servers, secrets: dict[str, str]) -> None:
    """Accounts, tables and keys that are there before anything moves. Quick when they are there already."""
    redis = accounts.admin_of_redis(servers)
    accounts.redis_accounts(redis, secrets, servers.redis.binary.version[:2])
    cache.prepare(redis)
    streams.prepare(redis)
    with accounts.admin_of_postgres(servers) as admin:
        accounts.postgres_accounts(admin, secrets)
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = 'shop'").fetchone() is None:
            admin.execute("CREATE DATABASE shop")
    with accounts.admin_of_postgres(servers, DATABASE) as admin:
        database.prepare(admin)
        if not any("pg_stat_statements" in lack for lack in servers.postgres.binaries.lacks):
            admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def _workers(servers: places.Servers) -> list[shell.Process]:
    """An RQ worker and a Celery worker, each a process of its own as in life."""
    socket = str(servers.redis.socket)
    root = Path(__file__).resolve().parent.parent.parent
    return [
        shell.start(
            [sys.executable, "-m", f"apps.demo.workers.{name}", socket],
            folder=root,
            name=f"demo {name} worker",
            stderr=None,
        )
        for name in ("rq", "celery")
    ]


def _keep_busy(servers: places.Servers, secrets: dict[str, str], stop: threading.Event) -> None:
    threads = [
        threading.Thread(target=keep_doing, args=(tick, stop), name=tick.name, daemon=True)
        for tick in _ticks(servers, secrets, stop)
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(timeout=5)


def _ticks(servers: places.Servers, secrets: dict[str, str], stop: threading.Event) -> list[Tick]:
    def redis(user: str, name: str) -> Redis:
        return Redis(
            unix_socket_path=str(servers.redis.socket),
            username=user,
            password=secrets[user],
            client_name=name,
            protocol=2,
        )

    def shop_session(application: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(servers.postgres.socket_dir),
            port=servers.postgres.port,
            user="shop",
            password=secrets["shop"],
            dbname=DATABASE,
            application_name=application,
            autocommit=True,
        )

    worker = redis("app-worker", "shop-producer")
    return [
        *rq_traffic.ticks(worker),
        *celery_traffic.ticks(shop(f"redis+socket://{servers.redis.socket}"), worker),
        *streams.ticks(redis("app-worker", "shop-events")),
        *cache.ticks(redis("app-worker", "shop-web"), redis("reporting", "nightly-report")),
        *database.ticks(shop_session, stop),
    ]
