"""The timeline as people see it: within their scope, filtered, paged, and honest about what goes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from apps.accounts.models import Operator, Role, ScopeKind
from apps.history import timeline
from apps.history.models import Event, Setting
from apps.monitoring.happened import cursor, read_cursor, told
from apps.servers.models import Server
from tests.conftest import grant, person

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]


@pytest.fixture
def servers(db: None) -> dict[str, Server]:
    return {
        key: Server.objects.create(key=key, kind="redis", environment=key.split("-")[0])
        for key in ("prod-cache", "prod-queue", "dev-cache")
    }


def note(kind: str, words: str, server: Server | None = None, *, ago_min: float = 5, **more: Any) -> None:
    timeline.note(kind, words, server=server, at=timezone.now() - timedelta(minutes=ago_min), **more)


def read(client: Client, query: str = "", **headers: str) -> str:
    answer = client.get(f"/timeline/{query}", headers=headers or None)
    assert answer.status_code == 200
    return answer.content.decode()


def shown(page: str) -> list[str]:
    """The words of the events on a page, in their order."""
    rows = re.findall(r"<td class=\"wrap\">(.*?)</td>", page, re.DOTALL)
    return [re.sub(r"\s+", " ", strip_tags(row)).strip() for row in rows]


def heading(page: str) -> str:
    match = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    assert match
    return match[1]


# -- what is shown --------------------------------------------------------------------------------------------------------


def test_an_empty_timeline_says_what_would_stand_there(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    page = read(as_operator(bob))
    assert heading(page) == "Nothing happened in 7 days"
    assert "Restarts, failovers, outages" in page


def test_the_heading_is_the_answer_and_the_newest_comes_first(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    note("restart", "restarted, was down at most 9 s", servers["prod-cache"], ago_min=30, signal="warn")
    note("down", "cannot be reached", servers["prod-queue"], ago_min=20, signal="down")
    note("deploy", "shop 1.4.2", environment="prod", ago_min=10)
    page = read(as_operator(bob))
    assert heading(page) == "1 outage, 1 restart and 1 deploy in 7 days; 1 goes on"
    assert shown(page) == ["shop 1.4.2", "cannot be reached", "restarted, was down at most 9 s"]
    assert "all of it" in page and "goes on" in page


def test_what_was_bad_and_ended_is_told_quietly_with_how_long_it_took(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    note("down", "cannot be reached", servers["prod-cache"], ago_min=20, signal="down", detail={"again_count": 3},
         ended_at=timezone.now() - timedelta(minutes=7, seconds=30))  # fmt: skip
    page = read(as_operator(bob))
    assert shown(page) == ["cannot be reached, came back 3 times"]
    assert 'sig-down"' not in page.split("<tbody>")[1] and "edge-crit" not in page.split("<tbody>")[1]
    assert '<td class="n nowrap">12<span class="u">min</span></td>' in page


def test_a_link_of_a_deploy_leads_out_without_telling_from_where(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    note("deploy", "shop", servers["prod-cache"], url="https://ci.example/run/42")
    note("run", "Delete keys", servers["prod-cache"], url="/runs/7/")
    note("deploy", "odd", servers["prod-cache"], url="javascript:alert(1)")
    page = read(as_operator(bob))
    assert '<a href="https://ci.example/run/42" rel="noopener noreferrer nofollow" target="_blank">' in page
    assert '<a class="ink" href="/runs/7/">' in page and "javascript" not in page


def test_hostile_words_are_text(servers: dict[str, Server], bob: Operator, as_operator: SignIn) -> None:
    note("setting", "<img src=x>\u202e\x1b[31m → \x00", servers["prod-cache"], node="<b>node</b>")
    page = read(as_operator(bob))
    assert "<img src=x" not in page and "<b>node" not in page and "\u202e" not in page and "\x1b" not in page


# -- scope ----------------------------------------------------------------------------------------------------------------


def test_a_stranger_sees_no_event(servers: dict[str, Server], charlie: Operator, as_operator: SignIn) -> None:
    note("restart", "restarted", servers["prod-cache"])
    note("clock", "the console's clock went back by 1 h")
    page = read(as_operator(charlie))
    assert shown(page) == [] and "No server that you may see" in page and "prod-cache" not in page


@pytest.mark.parametrize(
    ("kind", "key", "words"),
    [
        (ScopeKind.ENVIRONMENT, "dev", {"in dev", "to dev", "the console"}),
        (ScopeKind.SERVER, "prod-cache", {"in prod", "to prod", "the console"}),
    ],
)
def test_a_scope_shows_its_servers_and_what_was_marked_for_their_environments(
    kind: str, key: str, words: set[str], servers: dict[str, Server], as_operator: SignIn
) -> None:
    pat = person("pat")
    grant(pat, Role.VIEWER, kind, key)
    note("restart", "in prod", servers["prod-cache"])
    note("restart", "beside it", servers["prod-queue"])
    note("restart", "in dev", servers["dev-cache"])
    note("deploy", "to prod", environment="prod")
    note("deploy", "to dev", environment="dev")
    note("clock", "the console")
    client = as_operator(pat)
    assert set(shown(read(client))) == words
    for query in ("?server=prod-queue", "?environment=staging"):
        assert shown(read(client, query)) == []
    assert "prod-queue" not in read(client)


# -- filters and pages ------------------------------------------------------------------------------------------------------


def test_filters_by_kind_server_environment_and_range(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    note("restart", "a", servers["prod-cache"])
    note("failover", "b", servers["prod-cache"], ago_min=90)
    note("restart", "c", servers["dev-cache"], ago_min=60 * 48)
    note("restart", "d", servers["dev-cache"], ago_min=60 * 24 * 20)
    client = as_operator(bob)
    assert shown(read(client)) == ["a", "b", "c"]
    assert shown(read(client, "?kind=restart")) == ["a", "c"]
    assert shown(read(client, "?server=prod-cache")) == ["a", "b"]
    assert shown(read(client, "?environment=dev&hours=720")) == ["c", "d"]
    assert shown(read(client, "?hours=1")) == ["a"] and heading(read(client, "?hours=1")) == "1 restart in an hour"
    assert shown(read(client, "?kind=nonsense&hours=nonsense&before=nonsense")) == ["a", "b", "c"]


def test_the_range_keeps_the_other_filters_and_the_form_keeps_the_range(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    page = read(as_operator(bob), "?server=prod-cache&hours=24")
    assert 'href="?server=prod-cache&amp;hours=720"' in page
    assert '<input type="hidden" name="hours" value="24">' in page


def test_pages_follow_each_other_without_a_gap_though_many_happened_at_once(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    moment = timezone.now() - timedelta(minutes=5)
    for number in range(230):
        at = moment - timedelta(seconds=number // 50)
        timeline.note("restart", f"e{number}", server=servers["prod-cache"], at=at)
    client, query, seen = as_operator(bob), "", []
    for _ in range(3):
        page = read(client, query)
        seen += shown(page)
        older = re.search(r'<a href="(\?[^"]*before=[^"]*)">Older</a>', page)
        query = older[1].replace("&amp;", "&") if older else ""
        timeline.note("restart", "came in between", server=servers["prod-cache"])
    assert len(seen) == len(set(seen)) == 230 and query == ""
    assert "That is all in 7 days" in page and 'id="timeline">' in page


@pytest.mark.parametrize("text", ["", "x", "-", "1-", "-1", "1-2-3", "9" * 17 + "-1", "1-" + "9" * 19, "١-٢"])
def test_a_cursor_that_is_none_begins_at_the_newest(text: str) -> None:
    assert read_cursor(text) is None


def test_a_cursor_survives_its_journey(servers: dict[str, Server]) -> None:
    note("restart", "a", servers["prod-cache"])
    event = Event.objects.get()
    assert read_cursor(cursor(event)) == (event.at, event.pk)


def test_the_part_that_refreshes_itself_is_the_page_without_its_frame(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    note("restart", "a", servers["prod-cache"])
    part = read(as_operator(bob), "", **{"HX-Request": "true", "HX-Target": "timeline"})
    assert "<html" not in part and 'id="timeline" data-poll="10"' in part and shown(part) == ["a"]


def test_what_a_page_costs_does_not_grow_with_what_happened(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        note("restart", f"e{number}", servers["prod-cache" if number % 2 else "dev-cache"])
    client = as_operator(bob)
    read(client)
    with django_assert_max_num_queries(13):
        read(client)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, ""),
        ({"run": 1}, "1 run"),
        ({"run": 2, "down": 1}, "1 outage and 2 runs"),
        (
            {"run": 1200, "down": 1, "restart": 2, "deploy": 3, "clock": 1},
            "1 outage, 2 restarts, 3 deploys and 1,201 more",
        ),
    ],
)
def test_what_there_was_is_told_worst_first(counts: dict[str, int], words: str) -> None:
    assert told(counts) == words


# -- what changed, since when -----------------------------------------------------------------------------------------------


def test_one_server_shows_what_changed_since_when(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    server, now = servers["prod-cache"], timezone.now()
    common = {"server": server, "since": now, "since_after": now - timedelta(seconds=10)}
    Setting.objects.create(name="maxmemory", value="8gb", former="4gb", **common)
    Setting.objects.create(name="save", value="", former="<b>3600 1</b>", **common)
    Setting.objects.create(name="appendonly", value="no", server=server, since=now)
    page = read(as_operator(bob), "?server=prod-cache")
    panel = page.split("What changed, since when")[1]
    assert "maxmemory" in panel and "4gb" in panel and "8gb" in panel and "appendonly" not in panel
    assert "&lt;b&gt;3600 1" in panel and "<b>3600" not in panel
    assert "Between" in panel and "Secrets are never kept" in panel
    assert "What changed, since when" not in read(as_operator(bob))


def test_a_server_whose_settings_are_not_known_says_so(
    servers: dict[str, Server], bob: Operator, as_operator: SignIn
) -> None:
    page = read(as_operator(bob), "?server=prod-cache")
    assert "No settings are known yet" in page and "sig-unknown" in page
    Setting.objects.create(server=servers["prod-cache"], probe="p", name="appendonly", value="no", since=timezone.now())
    assert "No setting was seen to change" in read(as_operator(bob), "?server=prod-cache")
