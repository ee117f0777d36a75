"""The console by keyboard alone, and with JavaScript turned off."""

from __future__ import annotations

import pytest

from apps.accounts.models import Operator
from tests.browser import OpenTab
from tests.conftest import PASSWORD
from tests.journeys.conftest import SignIn, follow, heading, press, section
from tests.system.conftest import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_alice_needs_no_mouse(world: World, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(None)
    tab.page.set_default_timeout(10_000)
    keys = tab.page.keyboard
    tab.go("/")
    tab.until("document.activeElement.name === 'login'")
    keys.type("alice")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    tab.page.locator("#fleet").wait_for()
    keys.press("/")
    tab.page.locator("#goto[open] #goto-list a").first.wait_for()
    keys.type("redis-dev keysp")
    tab.until("document.querySelectorAll('#goto-list a').length === 1")
    keys.press("Enter")
    tab.page.wait_for_url("**/servers/redis-dev/keyspace/")
    for key in "jjk":
        keys.press(key)
    row = "document.activeElement.closest('main tbody tr')"
    assert tab.page.evaluate(f"{row} === document.querySelector('main tbody tr')")
    while tab.page.evaluate("document.activeElement.textContent.trim()") != "text":
        keys.press("j")
    keys.press("Enter")
    tab.page.locator("#key .keyname", has_text="text").wait_for()
    assert tab.page.evaluate("document.activeElement.textContent.trim()") == "text"
    keys.press("?")
    assert tab.page.is_visible("#keys")
    keys.press("Escape")
    assert not tab.page.is_visible("#keys")
    assert tab.page.locator("#key .keyname").inner_text() == "text"
    assert tab.complaints == []


def test_alice_needs_no_javascript(world: World, alice: Operator, signs_in: SignIn) -> None:
    tab = signs_in("alice", javascript=False)
    tab.page.get_by_label("Filter servers").fill("postgres")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/?q=postgres")
    assert {text.split("-")[0] for text in tab.page.locator("#fleet table .srv").all_inner_texts()} == {"postgres"}
    tab.page.locator("#side-redis-dev").click()
    assert "Looked at all" in section(tab, "Keyspace")
    tab.page.get_by_label("Pattern").fill("cart:*")
    press(tab, "Look")
    assert "; 1 matches" in heading(tab)
    follow(tab, "List")
    follow(tab, "cart:1")
    assert "●●●" in tab.text("#key")
    follow(tab, "Show values")
    assert "EUR" in tab.text("#key")
    assert section(tab, "Queues")
    assert "emails" in tab.text("main") and "thumbnails" in tab.text("main")
    press(tab, "Sign out")
    tab.go("/servers/redis-dev/")
    assert heading(tab) == "Sign in"
