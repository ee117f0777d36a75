"""The charts in a real browser: drawn under the strict policy, read by keys, looked into by dragging, still when paused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator
from apps.history import timeline
from apps.servers.models import Server
from tests.browser import OpenTab, Tab
from tests.monitoring.seen import GIB, past, sampled, server

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FAINT = (Path(__file__).parent.parent / "journeys" / "faint.js").read_text()
PAGE = "/servers/orders-cache/"
DRAWN = "document.querySelectorAll('[data-chart] canvas').length === 6"
Drawn = Callable[..., Tab]


@pytest.fixture
def cache(live_server: Any, transactional_db: None, settings: Settings) -> Server:
    """A day of samples with a hole of an hour, and the same a week ago."""
    settings.REQUIRE_SECOND_FACTOR = False
    one, now = server(), timezone.now()
    hole = range(int(now.timestamp()) - 6 * 3600, int(now.timestamp()) - 5 * 3600)
    sampled(
        one, used_memory_bytes=21.9 * GIB, maxmemory_bytes=24 * GIB, ops_per_s=18_400.0, clients_count=212,
        clients_max_count=10_000, hit_ratio=0.941, latency_s=0.0019, evicted_per_s=0.0,
    )  # fmt: skip
    past(one, days=8.1, step_s=240, but={"clients_count": lambda at_s: None if at_s in hole else 200.0})
    timeline.note("deploy", "Deploy shop-118", server=one, at=now - timedelta(hours=3))
    timeline.note("restart", "Restart", server=one, at=now - timedelta(hours=1))
    return one


@pytest.fixture
def drawn(cache: Server, bob: Operator, open_tab: OpenTab) -> Drawn:
    """`drawn("?range=1h", width=390)`: the page with all its lines."""

    def opened(query: str = "", **options: Any) -> Tab:
        tab = open_tab(bob, **options)
        tab.go(PAGE + query)
        tab.until(DRAWN)
        return tab

    return opened


def readings(tab: Tab) -> list[str]:
    return [str(each.inner_text()) for each in tab.page.query_selector_all(".cc-read") if each.is_visible()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_chart_is_drawn_and_everything_can_be_read(scheme: str, width: int, drawn: Drawn) -> None:
    tab = drawn("?compare=week", scheme=scheme, width=width)
    assert tab.page.evaluate(FAINT) == []
    assert tab.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    assert tab.complaints == []


def test_drawing_moves_nothing_on_the_page(drawn: Drawn, bob: Operator, open_tab: OpenTab) -> None:
    plain = open_tab(bob, javascript=False)
    plain.go(PAGE)
    places = [tab.page.query_selector("#server-now").bounding_box()["y"] for tab in (plain, drawn())]
    assert places[0] == places[1]


def test_keys_move_all_cursors_together_and_the_value_is_said(drawn: Drawn) -> None:
    tab = drawn("?compare=week")
    tab.page.focus("[data-chart=clients]")
    tab.page.keyboard.press("End")
    tab.page.keyboard.press("ArrowLeft")
    assert "UTC: 200, the week before 200" in tab.page.inner_text("#live")
    first = readings(tab)
    assert len(first) == 6 and len({reading.split(":")[0] for reading in first}) == 1
    tab.page.keyboard.press("Shift+ArrowLeft")
    assert readings(tab) != first
    tab.page.keyboard.press("Escape")
    assert readings(tab) == []


def test_a_gap_is_said_to_be_one(drawn: Drawn) -> None:
    tab = drawn()
    tab.page.focus("[data-chart=clients]")
    tab.page.keyboard.press("End")
    said = set()
    for _ in range(12):
        tab.page.keyboard.press("Shift+ArrowLeft")
        said.add(tab.page.inner_text("#live").split("UTC: ")[1])
    assert said == {"200", "not looked at"}


def test_dragging_leads_to_the_address_of_that_stretch(drawn: Drawn) -> None:
    tab = drawn("?compare=week")
    box = tab.page.query_selector("[data-chart=operations] .u-over").bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 30)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30, steps=4)
    with tab.page.expect_navigation():
        tab.page.mouse.up()
    assert (
        "from=" in tab.page.url
        and "to=" in tab.page.url
        and "compare=week" in tab.page.url
        and "range" not in tab.page.url
    )
    tab.until(DRAWN)
    data = tab.page.request.get(tab.base + tab.page.get_attribute("#charts", "data-charts")).json()
    span = data["end_s"] - data["begin_s"]
    assert 5.5 * 3600 < span < 6.5 * 3600, "a quarter of a day"


def test_enter_at_two_points_looks_closer_without_a_mouse(drawn: Drawn) -> None:
    tab = drawn()
    tab.page.focus("[data-chart=memory]")
    for key in ("End", "Enter", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        tab.page.keyboard.press(key)
    with tab.page.expect_navigation():
        tab.page.keyboard.press("Enter")
    assert "from=" in tab.page.url and "problem" not in tab.page.content()
    tab.until(DRAWN)


def test_the_pointer_reads_all_charts_at_once(drawn: Drawn) -> None:
    tab = drawn()
    tab.page.hover("[data-chart=hits] .u-over")
    assert len(readings(tab)) == 6
    assert "95 %" in readings(tab)[2]


def test_another_theme_redraws_in_its_colours(drawn: Drawn) -> None:
    tab = drawn()
    picture = "document.querySelector('[data-chart=operations] canvas').toDataURL()"
    light = tab.page.evaluate(picture)
    tab.page.click("[data-theme-toggle]")
    tab.page.click("[data-theme-toggle]")
    assert tab.page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    tab.until(DRAWN)
    assert tab.page.evaluate(picture) != light


def test_a_narrower_window_draws_narrower_charts(drawn: Drawn) -> None:
    tab = drawn()
    tab.page.set_viewport_size({"width": 390, "height": 844})
    width = "document.querySelector('[data-chart=memory]%s').getBoundingClientRect().width"
    tab.until(f"{width % ' .uplot'} <= {width % ''}")
    assert tab.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0


def later(tab: Tab, seconds: int) -> None:
    """Lets time pass for the page, and makes every part due."""
    tab.page.evaluate(
        f"(() => {{ const real = Date.now(); Date.now = () => real + {seconds * 1000} + performance.now(); }})()"
    )
    tab.page.evaluate("$$('[data-poll][id]').forEach((part) => { stateOf(part.id, 0).nextAt = 0; })")


def test_new_samples_appear_by_themselves_without_moving_anything(drawn: Drawn, cache: Server) -> None:
    tab = drawn("?range=1h")
    before = tab.page.query_selector("#server-now").bounding_box()
    past(cache, days=0.01, step_s=10, but={"clients_count": lambda at_s: 333.0})
    with tab.page.expect_response(lambda answer: "chart.json" in answer.url):
        later(tab, 120)
    tab.page.wait_for_timeout(100)
    tab.page.focus("[data-chart=clients]")
    tab.page.keyboard.press("End")
    assert "333" in tab.page.inner_text("#live")
    assert tab.page.query_selector("#server-now").bounding_box()["y"] == before["y"]
    assert tab.complaints == []


def test_a_paused_page_asks_for_nothing(drawn: Drawn) -> None:
    tab = drawn("?range=1h")
    tab.page.click("[data-pause]")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    later(tab, 120)
    tab.page.wait_for_timeout(900)
    assert asked == []


def test_a_stretch_in_the_past_is_not_fetched_again(drawn: Drawn) -> None:
    begin = timezone.now() - timedelta(hours=3)
    tab = drawn(f"?from={begin:%Y-%m-%dT%H:%M}&to={begin + timedelta(hours=1):%Y-%m-%dT%H:%M}")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    later(tab, 600)
    tab.page.wait_for_timeout(900)
    assert asked and not [url for url in asked if "chart.json" in url]


def test_without_scripts_the_page_stands_and_each_chart_is_a_table(
    cache: Server, bob: Operator, open_tab: OpenTab
) -> None:
    tab = open_tab(bob, javascript=False)
    tab.go(PAGE)
    assert "21.9" in tab.text("#head-memory")
    tab.page.click("#chart-clients .cc-table")
    tab.page.wait_for_load_state("load")
    assert "not looked at" in tab.text("#table") and "200" in tab.text("#table")
    tab.page.click("summary:has-text('From, to')")
    tab.page.fill("[name=from]", f"{timezone.now() - timedelta(hours=2):%Y-%m-%dT%H:%M}")
    with tab.page.expect_navigation():
        tab.page.click("form button:has-text('Show')")
    assert "From, to" in tab.text("#charts h2")


def test_lines_that_cannot_be_fetched_are_said_to_be_missing(cache: Server, bob: Operator, open_tab: OpenTab) -> None:
    tab = open_tab(bob)
    tab.page.route("**/chart.json*", lambda route: route.fulfill(status=503, body="down"))
    tab.go(PAGE)
    tab.until("document.querySelector('[data-chart=memory]').textContent.includes('could not be fetched')")
    assert "21.9" in tab.text("#head-memory")


def test_what_charts_read_out_is_written_as_in_their_tables(drawn: Drawn) -> None:
    tab = drawn()
    for key in ("memory", "operations", "hits", "clients", "trip", "evictions"):
        tab.go(f"{PAGE}?table={key}")
        tab.until(DRAWN)
        at, cell = (str(each.inner_text()) for each in tab.page.query_selector_all("#table tbody tr:nth-child(2) > *"))
        tab.page.focus(f"[data-chart={key}]")
        tab.page.keyboard.press("End")
        tab.page.keyboard.press("ArrowLeft")
        said = tab.page.inner_text("#live")
        assert said.split(" UTC: ")[1].split(" (")[0] == cell.split(" (")[0], key
        assert said.split(" UTC: ")[0].split()[-1] == at.split()[-1], key
