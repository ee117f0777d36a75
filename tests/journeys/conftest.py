"""People at a browser, who sign in with their hands, and a console that looks at real servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser import OpenTab, Tab
from tests.conftest import PASSWORD
from tests.real_servers import PostgresDatabase, RedisServer
from tests.system.conftest import World, furnish_postgres, furnish_redis, register

SignIn = Callable[..., Tab]


@pytest.fixture
def world(transactional_db: None, redis_clean: RedisServer, postgres_database: PostgresDatabase) -> World:
    """A furnished Redis and a furnished PostgreSQL, registered in every environment."""
    furnish_redis(redis_clean)
    furnish_postgres(postgres_database)
    register(redis_clean, postgres_database)
    return World(redis=redis_clean, postgres=postgres_database)


@pytest.fixture
def signs_in(open_tab: OpenTab) -> SignIn:
    """`signs_in("alice", at="/servers/shop/", javascript=False)`: she opens a page, is asked who she is, and says so."""

    def signed_in(name: str, *, at: str = "/", **options: Any) -> Tab:
        tab = open_tab(None, **options)
        tab.page.set_default_timeout(10_000)
        tab.go(at)
        tab.page.get_by_label("Name").fill(name)
        tab.page.get_by_label("Password").fill(PASSWORD)
        press(tab, "Sign in")
        return tab

    return signed_in


def press(tab: Tab, button: str) -> None:
    """Press a button that leads to another page, and be there."""
    with tab.page.expect_navigation():
        tab.page.get_by_role("button", name=button, exact=True).click()


def follow(tab: Tab, link: str) -> None:
    """Follow a link to another page, and be there."""
    with tab.page.expect_navigation():
        tab.page.get_by_role("link", name=link, exact=True).click()


def section(tab: Tab, title: str) -> str:
    """Follow a section of the server in hand, in the menu at the side. Returns the answer of its page: the heading."""
    tab.page.locator(".sb-nav-sub").get_by_role("link", name=title).click()
    tab.page.locator(".sb-nav-sub [aria-current=page]", has_text=title).wait_for()
    return heading(tab)


def heading(tab: Tab) -> str:
    return str(tab.page.locator("main h1").first.inner_text())
