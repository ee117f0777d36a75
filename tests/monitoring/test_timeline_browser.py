"""The timeline in a browser: light and dark, wide and narrow, with everything in it, readable and quiet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator
from apps.history import deploys, timeline
from apps.history.models import LastKnown, Setting
from apps.servers.models import Server
from tests.browser import OpenTab
from tests.conftest import grant
from tests.journeys.test_every_page import faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = "<b>x</b>\u202e" + "long" * 60


@pytest.fixture
def a_busy_week(live_server: Any, transactional_db: None, settings: Settings) -> Iterator[Server]:
    settings.REQUIRE_SECOND_FACTOR = False
    now = timezone.now()
    servers = [
        Server.objects.create(key=key, kind=kind, environment=where, addresses=[{"host": "127.0.0.1", "port": 1}])
        for key, kind, where in (
            ("orders-cache", "redis", "prod"),
            ("orders-db", "postgres", "prod"),
            ("dev", "redis", "dev"),
        )
    ]
    for server in servers:
        LastKnown.objects.create(server=server, tried_at=now, figures_at=now, figures={"ops_per_s": 7})
    _fill(servers[0], servers[1])
    deploys.add_token("ci-shop", environments=["prod"], servers=["dev"], by="dana")
    yield servers[0]


def _fill(cache: Server, db: Server) -> None:
    now = timezone.now()
    told: list[tuple[str, str, float, dict[str, Any]]] = [
        ("restart", "restarted, was down at most 9 s", 3, {"server": cache, "signal": "warn"}),
        ("down", "cannot be reached", 9, {"server": db, "signal": "down", "detail": {"again_count": 2}}),
        ("down", "does not answer", 30, {"server": cache, "signal": "down", "ended_at": now - timedelta(minutes=21)}),
        ("finding", "memory 91 %", 50, {"server": cache, "signal": "warn"}),
        ("failover", "promoted: it is the primary, and was a replica", 700, {"server": db, "signal": "warn", "node": "10.0.0.2:5432"}),
        ("setting", "maxmemory 4gb → 8gb", 1500, {"server": cache}),
        ("setting", HOSTILE, 1501, {"server": cache, "detail": {"more_count": 5}}),
        ("version", "version 7.0.15 → 7.4.1", 1510, {"server": cache}),
        ("deploy", "shop 1.4.2", 1600, {"environment": "prod", "url": "https://ci.example/1", "detail": {"token": "ci-shop"}}),
        ("run", "Delete keys by pattern, by alice: done", 3000, {"server": cache, "signal": "ok", "url": "/runs/1/", "ended_at": now}),
        ("run", "Reindex, by alice", 2, {"server": db, "signal": "run", "url": "/runs/2/"}),
        ("gap", "not looked at for 10 min", 4000, {"server": db, "ended_at": now - timedelta(minutes=3990), "signal": "unknown"}),
        ("clock", "the console's clock went back by 1 h", 5000, {"signal": "warn"}),
    ]  # fmt: skip
    for kind, words, ago_min, more in told:
        timeline.note(kind, words, at=now - timedelta(minutes=ago_min), **more)
    common = {"server": cache, "since": now, "since_after": now - timedelta(minutes=5)}
    Setting.objects.create(name="maxmemory", value="8gb", former="4gb", **common)
    Setting.objects.create(name="client-output-buffer-limit", value=HOSTILE, former="", **common)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_and_nothing_sticks_out(
    scheme: str, a_busy_week: Server, alice: Operator, open_tab: OpenTab
) -> None:
    grant(alice, "admin")
    tab = open_tab(alice, scheme=scheme)
    paths = ("/timeline/", "/timeline/?server=orders-cache", "/timeline/?kind=clock&hours=1", "/marks/tokens/")
    assert not "\n".join(fault for path in paths for fault in faults(tab, path, scheme))


def test_it_is_filtered_without_javascript(a_busy_week: Server, bob: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(bob, javascript=False)
    tab.page.goto(tab.base + "/timeline/")
    assert tab.text("h1").startswith("2 outages, 1 failover, 1 restart and 9 more in 7 days; 3 go on")
    tab.page.get_by_label("Server", exact=True).select_option("orders-db")
    with tab.page.expect_navigation():
        tab.page.get_by_role("button", name="Filter").click()
    assert tab.page.locator(".happened tbody tr:not(.group)").count() == 6
    with tab.page.expect_navigation():
        tab.page.get_by_role("link", name="An hour").click()
    assert "server=orders-db" in tab.page.url and "hours=1" in tab.page.url
    assert tab.page.locator(".happened tbody tr:not(.group)").count() == 2
