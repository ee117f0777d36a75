"""A server dies while its page is open, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.accounts.models import Operator
from apps.engine.embedded import binaries
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.servers.models import Server
from tests.browser import OpenTab, Tab
from tests.real_servers import CACHE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def mortal(tmp_path: Path, transactional_db: None) -> Iterator[EmbeddedRedis]:
    """A Redis of this test alone, registered as `mortal`."""
    with EmbeddedRedis(binaries.find_redis(CACHE), tmp_path / "redis", port=free_port()) as server:
        Server.objects.create(
            key="mortal", kind="redis", environment="dev", addresses=[{"host": "127.0.0.1", "port": server.port}]
        )
        yield server


def refresh_soon(tab: Tab) -> None:
    """As if the part's time had come."""
    tab.page.evaluate("$$('[data-poll][id]').forEach((part) => { stateOf(part.id, 0).nextAt = 0; })")


def standing(tab: Tab, panel: str) -> object:
    """Where the reader is: the address, how far the page is scrolled, where the panel begins, what has the focus."""
    return tab.page.evaluate(
        "(id) => [location.href, scrollX, scrollY, document.getElementById(id).getBoundingClientRect().top,"
        " document.activeElement.textContent.trim()]",
        panel,
    )


@pytest.mark.parametrize(
    ("path", "panel"),
    [("connection/", "nodes"), ("activity/", "clients-now"), ("upkeep/", "upkeep-node"), ("queues/", "queues")],
)
def test_the_open_page_says_so_where_it_stands_and_recovers(
    path: str, panel: str, alice: Operator, open_tab: OpenTab, mortal: EmbeddedRedis
) -> None:
    tab = open_tab(alice)
    tab.page.set_viewport_size({"width": 1440, "height": 500})
    tab.go(f"/servers/mortal/{path}")
    tab.page.focus("#side-mortal")
    trouble = tab.page.locator(f"#{panel}").get_by_text(f"Connection refused by 127.0.0.1:{mortal.port}")
    before = standing(tab, panel)
    assert trouble.count() == 0
    mortal.stop()
    refresh_soon(tab)
    trouble.first.wait_for(timeout=8000)
    assert standing(tab, panel) == before
    mortal.start()
    refresh_soon(tab)
    trouble.first.wait_for(state="detached", timeout=8000)
    assert standing(tab, panel) == before
    assert tab.complaints == []
