"""A Chromium for the tests marked `browser`. Without one they are skipped, each saying what was not seen."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.accounts.models import Operator

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(slots=True, kw_only=True)
class Tab:
    """An open page of the console and everything that its console complained about."""

    page: Any
    base: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Any:
        answer = self.page.goto(self.base + path)
        self.page.wait_for_load_state("load")
        return answer

    def until(self, expression: str, *, timeout_s: float = 5.0) -> None:
        """Wait until an expression is true in the page. (The driver's own waiting needs eval, which the policy forbids.)"""
        ends_at = time.monotonic() + timeout_s
        while not self.page.evaluate(expression):
            assert time.monotonic() < ends_at, f"not within {timeout_s:g} s: {expression}"
            self.page.wait_for_timeout(50)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))


def program() -> str | None:
    return os.environ.get("CHROMIUM") or next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running Chromium. Skips where the machine has none (CHROMIUM=/path names another).

    The driver keeps an event loop in this thread, in which Django would refuse to ask its database: allowed for as long as it
    runs, and it runs for one module only, so that no other test is any the wiser.
    """
    path = program()
    if path is None:
        pytest.skip(f"no Chromium among {', '.join(PROGRAMS)}: not looked at in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with pytest.MonkeyPatch.context() as patch, playwright.sync_playwright() as driver:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def session_cookie(operator: Operator, url: str) -> dict[str, str]:
    client = Client()
    client.force_login(operator)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


OpenTab = Callable[..., Tab]


@pytest.fixture
def open_tab(chromium: Any, live_server: Any) -> Iterator[OpenTab]:
    """`open_tab(alice, width=390, scheme="dark", javascript=False)`: a tab signed in as this operator, or as nobody."""
    contexts = []

    def opened(
        operator: Operator | None, *, width: int = 1440, scheme: str = "light", javascript: bool = True, **options: Any
    ) -> Tab:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=javascript, **options
        )
        contexts.append(context)
        if operator is not None:
            context.add_cookies([session_cookie(operator, live_server.url)])
        tab = Tab(page=context.new_page(), base=live_server.url)
        tab.page.on("console", lambda m: tab.complaints.append(m.text) if m.type in ("error", "warning") else None)
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        return tab

    yield opened
    for context in contexts:
        context.close()
