"""The demo lives: real frameworks work on real servers, and the console sees them through an account of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_django import Settings

from apps.demo import accounts, places, registration
from apps.demo.run import run
from apps.engine.embedded.place import reachable_folder, unprivileged_account
from apps.servers.models import Server
from tests.real_servers import CACHE

LIVES_WITHIN_S = 120


@dataclass(slots=True)
class Watcher:
    """Waits beside the running demo until everything was seen once, then asks it to stop."""

    stop: threading.Event
    seen: set[str] = field(default_factory=set)
    wanted: frozenset[str] = frozenset({"rq job done", "celery task taken", "stream read", "orders placed", "outbox"})

    def watch(self) -> None:
        ends_at = time.monotonic() + LIVES_WITHIN_S
        while time.monotonic() < ends_at and not self.wanted <= self.seen:
            try:
                self._look(places.servers())
            except Exception:
                time.sleep(1)  # not up yet
            time.sleep(0.5)
        self.stop.set()

    def _look(self, servers: places.Servers) -> None:
        redis = accounts.admin_of_redis(servers)
        groups = {g["name"]: g for g in redis.xinfo_groups("events:orders")}
        with accounts.admin_of_postgres(servers, "shop") as shop:
            orders = shop.execute("SELECT count(*) FROM orders WHERE note = 'by the demo'").fetchone()
            outbox = shop.execute("SELECT count(*) FROM outbox_event WHERE published_at IS NOT NULL").fetchone()
        found = {
            "rq job done": int(redis.zcard("rq:finished:emails")) > 0,
            "celery task taken": any(c["name"] == "" and c["cmd"] == "brpop" for c in redis.client_list()),
            "stream read": groups[b"billing"]["entries-read"] > 0,
            "orders placed": orders is not None and int(str(orders[0])) > 0,
            "outbox": outbox is not None and int(str(outbox[0])) > 0,
        }
        self.seen |= {name for name, yes in found.items() if yes}


@pytest.mark.django_db
def test_everything_that_the_demo_promises_happens(settings: Settings, tmp_path: Path) -> None:
    settings.DATA = reachable_folder(tmp_path / "data", unprivileged_account())
    (settings.DATA / "binaries").symlink_to(CACHE)
    stop = threading.Event()
    watcher = Watcher(stop)
    beside = threading.Thread(target=watcher.watch)
    beside.start()
    run(stop)
    beside.join()
    assert watcher.seen >= watcher.wanted
    redis, postgres = Server.objects.get(key="demo-redis"), Server.objects.get(key="demo-postgres")
    assert redis.is_demo and postgres.is_demo and redis.environment == "dev"
    for server in (redis, postgres):
        found = server.capabilities["monitor"]
        assert found["overview"]["ok"], found["overview"]
        assert sum(feature["ok"] for feature in found.values()) > 5


@pytest.mark.django_db
def test_the_demo_is_for_an_empty_console() -> None:
    assert registration.is_wanted()
    own = Server.objects.create(key="mine", kind="redis", environment="dev")
    assert not registration.is_wanted()
    own.delete()
    Server.objects.create(key="demo-redis", kind="redis", environment="dev", is_demo=True)
    assert registration.is_wanted()
    registration.unregister()
    assert not Server.objects.exists()
