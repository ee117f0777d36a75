"""From an empty console to the first look at a real server, as the one who sets it up walks it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps.accounts.models import Operator
from apps.servers.models import Server
from tests.browser import Tab
from tests.conftest import PASSWORD
from tests.journeys.conftest import SignIn, follow, heading, press, section
from tests.real_servers import PostgresDatabase, RedisServer
from tests.system.conftest import furnish_postgres, furnish_redis

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SECRET = "correct horse battery"


def fill(tab: Tab, **fields: str) -> None:
    for name, value in fields.items():
        tab.page.locator(f"form.panel [name={name}]").fill(value)


def pick(tab: Tab, **fields: str) -> None:
    for name, value in fields.items():
        tab.page.locator(f"form.panel [name={name}][value={value}]").check()


def held(tab: Tab, name: str) -> Any:
    return tab.page.locator(f"form.panel [name={name}]").input_value()


def test_alice_registers_her_first_redis_and_looks_around(
    alice: Operator, signs_in: SignIn, redis_clean: RedisServer
) -> None:
    furnish_redis(redis_clean)
    redis_clean.command("ACL", "SETUSER", "signalbox", "on", f">{SECRET}", "~*", "&*", "+@all")
    tab = signs_in("alice")
    assert heading(tab) == "Register your first server"
    follow(tab, "Register a server")
    pick(tab, kind="redis", environment="dev", roles="cache")
    tab.page.get_by_text("Tags, limits and goals").click()
    fill(tab, key="cart-cache", addresses=f"127.0.0.1:{redis_clean.port}", tags="shop eu")
    fill(tab, monitor_username="signalbox", monitor_password="wrong")
    press(tab, "Try the connection")
    refused_with_all_input_kept(tab)
    fill(tab, monitor_password=SECRET)
    press(tab, "Try the connection")
    assert "Tried just now\nconnected" in tab.text("#tried header")
    assert "Signed in as\nsignalbox" in tab.text("#tried")
    assert not Server.objects.exists()
    fill(tab, monitor_password=SECRET)
    press(tab, "Register")
    assert tab.page.url == f"{tab.base}/servers/cart-cache/connection/"
    assert "cart-cache is registered." in tab.text("main")
    look_around_redis(tab)
    assert tab.complaints == []


def refused_with_all_input_kept(tab: Tab) -> None:
    """A wrong password is told apart from a server that is away, and only the password has to be typed again."""
    said = tab.text("#tried")
    assert "not connected" in said and "password" in said.lower()
    assert "wrong" not in held(tab, "monitor_password")
    kept = {name: held(tab, name) for name in ("key", "monitor_username", "tags")}
    assert kept == {"key": "cart-cache", "monitor_username": "signalbox", "tags": "shop eu"}
    assert held(tab, "addresses").startswith("127.0.0.1:")
    for name, value in {"kind": "redis", "environment": "dev", "roles": "cache"}.items():
        assert tab.page.locator(f"form.panel [name={name}][value={value}]").is_checked(), name


def look_around_redis(tab: Tab) -> None:
    assert re.match(r"(Redis|Valkey) \d+\.\d+", heading(tab))
    assert re.search(r"Holds\n11\s*keys", tab.text("#nodes"))
    assert "cart-cache" in tab.text("#side-servers")
    assert "Looked at all" in section(tab, "Keyspace")
    open_a_key(tab)
    for title, expected in (
        ("Slow log", "main table, main .state"),
        ("Clients", "main table"),
        ("ACL", "main >> text=app-web"),
        ("Upkeep", "#upkeep-node"),
    ):
        assert section(tab, title)
        tab.page.locator(expected).first.wait_for()


def open_a_key(tab: Tab) -> None:
    """Masked first; shown when asked; the address says where one is, so a reload stays."""
    follow(tab, "cart:")
    tab.page.get_by_role("link", name="cart:1", exact=True).click()
    tab.page.locator("#key .keyname", has_text="cart:1").wait_for()
    assert "●●●" in tab.text("#key") and "EUR" not in tab.text("#key")
    follow(tab, "Show values")
    tab.page.locator("#key >> text=EUR").wait_for()
    tab.page.reload()
    assert "EUR" in tab.text("#key")


def test_alice_registers_a_postgres_and_sees_its_sessions_and_statements(
    alice: Operator, signs_in: SignIn, postgres_database: PostgresDatabase
) -> None:
    furnish_postgres(postgres_database)
    server = postgres_database.server
    tab = signs_in("alice", at="/servers/new/")
    pick(tab, kind="postgres", environment="staging")
    fill(tab, key="shop", addresses=f"{server.socket_dir}:{server.port}", database=postgres_database.name)
    fill(tab, monitor_username=server.admin_user)
    press(tab, "Register")
    assert heading(tab).startswith("PostgreSQL ")
    assert postgres_database.name in tab.text("#nodes")
    with postgres_database.connect(application_name="nightly-report"):
        assert section(tab, "Activity")
        tab.page.locator("main >> text=nightly-report").first.wait_for()
    assert section(tab, "Slow queries")
    tab.page.locator("#statements").wait_for()
    assert tab.complaints == []


def test_registering_asks_for_a_sign_in_that_is_fresh(alice: Operator, signs_in: SignIn, settings: Any) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    tab = signs_in("alice")
    follow(tab, "Register a server")
    assert tab.text("h1") == "Is it still you, alice?"
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    tab.page.get_by_label("Password").fill(PASSWORD)
    press(tab, "Sign in afresh")
    assert tab.page.url == f"{tab.base}/servers/new/"
    assert heading(tab) == "Register your first server"
