"""The frame in a real browser: refreshing without jumping, keys, colours, narrow screens, and a silent console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Operator
from apps.history.models import LastKnown
from apps.servers.models import Server
from tests.browser import OpenTab, Tab

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def add(key: str, environment: str = "dev", kind: str = "redis", **figures: Any) -> Server:
    address = {"host": "127.0.0.1", "port": 1}
    server = Server.objects.create(key=key, kind=kind, environment=environment, addresses=[address])
    now = timezone.now()
    LastKnown.objects.create(server=server, tried_at=now, figures_at=now, figures={"ops_per_s": 7, **figures})
    return server


def worsen(key: str) -> None:
    LastKnown.objects.filter(server__key=key).update(figures={"save_status": "err"}, tried_at=timezone.now())


def fleet_of(tab: Tab) -> list[str]:
    return [str(link.inner_text()) for link in tab.page.query_selector_all("#fleet table .srv")]


def refresh_soon(tab: Tab) -> None:
    """Makes every part due now instead of in ten seconds."""
    tab.page.evaluate("$$('[data-poll][id]').forEach((part) => { stateOf(part.id, 0).nextAt = 0; })")


def wait_for_refresh(tab: Tab) -> None:
    with tab.page.expect_response(lambda answer: answer.request.headers.get("hx-target") == "fleet"):
        refresh_soon(tab)
    tab.page.wait_for_timeout(150)


@pytest.fixture
def fleet(live_server: Any, transactional_db: None, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    add("alpha", "prod")
    add("bravo", "staging")
    add("charlie-cache", "dev")


@pytest.mark.parametrize("path", ["/", "/go/", "/servers/alpha/", "/queues/", "/backups/", "/servers/alpha/keyspace/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_the_content_policy(
    path: str, scheme: str, fleet: None, alice: Operator, open_tab: OpenTab
) -> None:
    tab = open_tab(alice, scheme=scheme)
    assert tab.go(path).status == 200
    tab.page.wait_for_timeout(150)
    assert tab.complaints == []
    assert tab.page.evaluate("document.documentElement.dataset.bsTheme") == scheme


def test_a_refresh_brings_news_keeps_the_focus_and_tells_it_aloud(
    fleet: None, alice: Operator, open_tab: OpenTab
) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.focus("#fleet-bravo")
    assert fleet_of(tab) == ["alpha", "bravo", "charlie-cache"]
    worsen("charlie-cache")
    wait_for_refresh(tab)
    assert fleet_of(tab) == ["charlie-cache", "alpha", "bravo"]
    assert tab.page.evaluate("document.activeElement.id") == "fleet-bravo"
    assert tab.text("#fleet-head h1") == "One server needs a look."
    assert tab.page.text_content("#live") == "One server needs a look."
    assert tab.complaints == []


def test_rows_never_move_under_the_pointer(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.hover("#fleet tbody tr:nth-child(2)")
    worsen("charlie-cache")
    refresh_soon(tab)
    tab.page.wait_for_timeout(900)
    assert fleet_of(tab) == ["alpha", "bravo", "charlie-cache"]
    tab.page.mouse.move(700, 880)
    tab.until("document.querySelector('#fleet .srv').textContent === 'charlie-cache'")


def test_a_selection_holds_the_refresh(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.evaluate("getSelection().selectAllChildren(document.querySelector('#fleet .srv'))")
    worsen("charlie-cache")
    refresh_soon(tab)
    tab.page.wait_for_timeout(900)
    assert fleet_of(tab)[0] == "alpha"


def test_pausing_holds_everything_and_is_remembered(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.click("[data-pause]")
    tab.page.mouse.move(700, 880)
    tab.go("/")
    assert tab.page.get_attribute("[data-pause]", "aria-pressed") == "true"
    worsen("charlie-cache")
    refresh_soon(tab)
    tab.page.wait_for_timeout(900)
    assert fleet_of(tab)[0] == "alpha"
    tab.page.keyboard.press("r")
    tab.until("document.querySelector('#fleet .srv').textContent === 'charlie-cache'")


def test_a_console_that_stopped_answering_is_said_in_grey(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.route("**/*", lambda route: route.abort())
    refresh_soon(tab)
    tab.until("parts.get('fleet').failures > 0")
    tab.page.evaluate("for (const part of parts.values()) part.okAt -= 31000")
    tab.page.wait_for_selector("#fleet.is-stale .stale-note", timeout=5000)
    assert "not refreshed for 3" in tab.text("#fleet .stale-note")
    assert tab.page.evaluate("parts.get('fleet').nextAt - Date.now()") > 11_000
    tab.page.unroute("**/*")
    wait_for_refresh(tab)
    assert tab.page.query_selector(".stale-note") is None or not tab.page.query_selector("#fleet .stale-note")


def test_signed_out_elsewhere_leads_to_the_sign_in(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.context.clear_cookies()
    refresh_soon(tab)
    tab.page.wait_for_url(re.compile("/accounts/login/"), timeout=5000)


def test_keys_walk_the_rows_open_one_and_lead_to_the_big_pages(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    for key, focused in (("j", "fleet-alpha"), ("j", "fleet-bravo"), ("k", "fleet-alpha")):
        tab.page.keyboard.press(key)
        assert tab.page.evaluate("document.activeElement.id") == focused
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/servers/alpha/")
    tab.page.keyboard.press("g")
    tab.page.keyboard.press("q")
    tab.page.wait_for_url("**/queues/")
    tab.page.keyboard.press("?")
    assert tab.page.is_visible("#keys")
    tab.page.keyboard.press("Escape")
    assert not tab.page.is_visible("#keys")


def test_single_keys_can_be_turned_off(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.click("[data-open=keys]")
    tab.page.uncheck("[data-single-keys]")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("j")
    assert "fleet-" not in str(tab.page.evaluate("document.activeElement.id"))


def test_going_to_a_section_by_typing(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.keyboard.press("/")
    tab.page.wait_for_selector("#goto[open] .goto-list a")
    tab.page.keyboard.type("bravo upk")
    tab.until("document.querySelectorAll('#goto-list a').length === 1")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/servers/bravo/upkeep/")


def test_three_colours_are_kept_and_do_not_flash(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice, scheme="dark")
    tab.go("/")
    shown = "[document.documentElement.dataset.theme, document.documentElement.dataset.bsTheme].join(' ')"
    assert tab.page.evaluate(shown) == "system dark"
    for expected in ("light light", "dark dark", "system dark", "light light"):
        tab.page.click("[data-theme-toggle]")
        assert tab.page.evaluate(shown) == expected
    tab.page.add_init_script(
        "addEventListener('DOMContentLoaded', () => { window.atFirst = document.documentElement.dataset.bsTheme; })"
    )
    tab.go("/")
    assert tab.page.evaluate("window.atFirst") == "light"


def test_the_clock_ticks_in_utc(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice, timezone_id="Asia/Kolkata")
    tab.go("/")
    first = tab.text("[data-clock]")
    tab.until(f"document.querySelector('[data-clock]').textContent !== '{first}'")
    hour = f"{timezone.now():%H}"
    assert tab.text("[data-clock]").startswith(hour) or f"{timezone.now():%M}" == "00"


def test_on_a_narrow_screen_nothing_is_cut_and_the_menu_folds(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(alice, width=390)
    for path in ("/", "/go/", "/servers/alpha/"):
        tab.go(path)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not tab.page.is_visible("#side")
    tab.page.click("label[for=sb-menu]")
    assert tab.page.is_visible("#side")
    tab.page.click("#side-bravo")
    tab.page.wait_for_url("**/servers/bravo/")


def test_without_javascript_the_fleet_can_be_read_filtered_and_left(
    fleet: None, alice: Operator, open_tab: OpenTab
) -> None:
    tab = open_tab(alice, javascript=False, width=390)
    tab.go("/")
    assert tab.page.is_visible(".card-row >> nth=0")
    assert not tab.page.is_visible("[data-pause]")
    tab.page.click("#fleet-environments >> text=Staging")
    assert [row.inner_text() for row in tab.page.query_selector_all(".card-row a")] == ["bravo"]
    tab.page.click("label[for=sb-menu]")
    tab.page.click(".sb-goto")
    tab.page.fill("main input[name=q]", "charlie")
    tab.page.keyboard.press("Enter")
    assert "charlie-cache" in tab.text("main .list")


def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(
    fleet: None, alice: Operator, open_tab: OpenTab
) -> None:
    tab = open_tab(alice)
    tab.go("/")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "sb-skip"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("location.hash") == "#content"


def test_requests_of_htmx_carry_the_token_and_the_bare_name_of_the_part(
    fleet: None, alice: Operator, open_tab: OpenTab
) -> None:
    tab = open_tab(alice)
    tab.go("/")
    with tab.page.expect_request(lambda request: request.method == "POST") as sent:
        tab.page.evaluate("void htmx.ajax('POST', '/go/', { target: '#fleet', swap: 'none' })")
    headers = sent.value.headers
    assert headers["hx-target"] == "fleet"
    assert headers["x-csrftoken"] == tab.page.get_attribute("meta[name=csrf-token]", "content")


def test_text_meets_its_ground_in_both_colours(fleet: None, alice: Operator, open_tab: OpenTab) -> None:
    """WCAG AA: 4.5 to 1 for every visible text of the page, measured on what the browser computed."""
    worsen("alpha")
    LastKnown.objects.filter(server__key="bravo").update(failing_since=timezone.now(), error_text="No.", failed_count=1)
    for scheme in ("light", "dark"):
        tab = open_tab(alice, scheme=scheme)
        for path in ("/", "/servers/alpha/"):
            tab.go(path)
            assert tab.page.evaluate(FAINT) == []


FAINT = """() => {
  const channel = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility({ checkVisibilityCSS: true }) && !e.closest(".visually-hidden, dialog, .sb-skip"))
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .map((e) => {
      const [a, b] = [light(rgba(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
      return [e.className + ": " + e.textContent.trim().slice(0, 30), (a + 0.05) / (b + 0.05)];
    })
    .filter(([, ratio]) => ratio < 4.5);
}"""
