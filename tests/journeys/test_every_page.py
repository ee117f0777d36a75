"""Every page in a browser: nothing breaks the content policy, nothing scrolls sideways, everything can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.accounts.models import Operator
from apps.engine.text import ref
from tests.browser import OpenTab, Tab
from tests.conftest import grant
from tests.system.conftest import World
from tests.system.routes import server_pages

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FAINT = (Path(__file__).parent / "faint.js").read_text()
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FLEET = (
    "/", "/?q=nothing-fits", "/go/?q=redis", "/queues/", "/backups/",
    "/timeline/", "/timeline/?server=redis-dev", "/marks/tokens/", "/servers/", "/servers/new/", "/nowhere/",
    "/operators/", "/operators/me/", "/operators/invite/", "/operators/people/bob/",
    "/accounts/password/change/", "/accounts/2fa/totp/activate/", "/accounts/logout/", "/accounts/reauthenticate/",
)  # fmt: skip
OUTSIDE = ("/accounts/login/", "/accounts/welcome/")
SPECIAL = {
    "redis": (
        "/servers/redis-dev/edit/", "/servers/redis-dev/remove/", f"/servers/redis-dev/keyspace/?key={ref(b'cart:1')}&show=1",
        "/servers/redis-dev/keyspace/?layout=list", "/servers/redis-prod/keyspace/?pattern=nothing*",
    ),
    "postgres": ("/servers/postgres-staging/", "/servers/postgres-dev/activity/?show=1"),
}  # fmt: skip


def paths(kind: str) -> Iterator[str]:
    for route in server_pages(kind):
        if route.name not in ("slow_queries:statement", "monitoring:chart"):
            yield route.path(f"{kind}-dev")
    yield from SPECIAL[kind]


def faults(tab: Tab, path: str, scheme: str) -> Iterator[str]:
    """What is wrong with one page in one colour: the console's complaints, faint words, and what sticks out at 390 px."""
    tab.page.set_viewport_size(WIDE)
    status = tab.go(path).status
    assert status < 500
    assert tab.page.evaluate("document.documentElement.dataset.bsTheme") == scheme
    yield from (f"{path} has two of #{each}" for each in tab.page.evaluate(TWICE))
    yield from (f"{path} faint: {each}" for each in tab.page.evaluate(FAINT))
    tab.page.set_viewport_size(NARROW)
    yield from (f"{path} faint at 390 px: {each}" for each in tab.page.evaluate(FAINT))
    if (wide := tab.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")) > 0:
        yield f"{path} is {wide} px too wide: {tab.page.evaluate(STICKS_OUT)}"
    yield from (f"{path} complains: {said}" for said in tab.complaints if not said.endswith(REFUSED.get(status, "\0")))
    tab.complaints.clear()


# What Chromium writes into its console for a page that is refused on purpose.
REFUSED = {status: f"status of {status} ({words})" for status, words in ((403, "Forbidden"), (404, "Not Found"))}
TWICE = """[...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i)"""
STICKS_OUT = """[...document.querySelectorAll("main *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map((e) => e.tagName + "." + e.className)"""


@pytest.fixture
def dora(alice: Operator, bob: Operator) -> Operator:
    """Alice, who is an admin as well: she sees every page there is."""
    grant(alice, "admin")
    return alice


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_the_pages_of_a_server(kind: str, scheme: str, world: World, dora: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(dora, scheme=scheme)
    assert not "\n".join(fault for path in paths(kind) for fault in faults(tab, path, scheme))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_the_console(scheme: str, world: World, dora: Operator, open_tab: OpenTab) -> None:
    tab, outside = open_tab(dora, scheme=scheme), open_tab(None, scheme=scheme)
    found = [fault for path in FLEET for fault in faults(tab, path, scheme)]
    assert not "\n".join(found + [fault for path in OUTSIDE for fault in faults(outside, path, scheme)])
