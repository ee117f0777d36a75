"""A server's own page: a sentence, six charts, nodes, rights and events, also when nothing is known or nothing answers."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import Operator
from apps.history import timeline
from apps.history.models import LastKnown
from apps.history.sampler import sample_due
from apps.servers.models import Server
from tests.history.filled import fill
from tests.monitoring.seen import GIB, HOUR_S, Figure, past, sampled, server
from tests.network import HangingServer
from tests.system.conftest import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]
TAGS = re.compile(r"<[^>]+>")


@pytest.fixture(autouse=True)
def no_second_factor(settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = False


@pytest.fixture
def look(bob: Operator, as_operator: SignIn) -> Callable[..., str]:
    """`look("?range=7d")`: the page of orders-cache as a viewer sees it."""
    client = as_operator(bob)

    def looked(query: str = "", *, key: str = "orders-cache", part: str = "") -> str:
        headers = {"HX-Request": "true", "HX-Target": part} if part else {}
        answer = client.get(f"/servers/{key}/{query}", headers=headers)
        assert answer.status_code == 200
        return answer.content.decode()

    return looked


def words(page: str, element: str) -> str:
    """The text of the element with this id, up to the next element with one."""
    found = re.search(rf'id="{element}"[^>]*>(.*?)(?=<[^>]* id="|</section>|</main>|$)', page, re.DOTALL)
    assert found, f"no #{element}"
    return " ".join(html.unescape(TAGS.sub(" ", found[1])).split())


def well() -> LastKnown:
    return sampled(
        server(), used_memory_bytes=21.9 * GIB, maxmemory_bytes=24 * GIB, ops_per_s=18_400.0, clients_count=212,
        clients_max_count=10_000, hit_ratio=0.941, latency_s=0.0019, evicted_per_s=0.0, eviction="allkeys-lru",
    )  # fmt: skip


def test_the_heading_says_what_is_wrong_and_when_it_gets_worse(look: Callable[..., str]) -> None:
    row = well()
    row.forecasts = [
        {
            "figure": "used_memory_bytes", "words": "memory fills in 2 to 3 days", "low_s": 2 * 86_400.0, "high_s": 3 * 86_400.0,
            "per_day": 0.9 * GIB, "per_day_bound": 0.2 * GIB, "at_s": 0,
        }
    ]  # fmt: skip
    row.save()
    page = look()
    assert "<h1>Memory 91 %, fills in 2 to 3 days</h1>" in page
    memory = words(page, "head-memory")
    assert "GiB fills in 2 to 3 days +" in memory and "+922 MiB ±205 MiB a day" in memory


def test_the_figures_have_their_units_and_limits(look: Callable[..., str]) -> None:
    well()
    page = look()
    assert words(page, "head-memory").startswith("Memory 21.9 GiB of 24 GiB")
    assert words(page, "head-operations").startswith("Operations 18.4 k/s")
    assert words(page, "head-hits").startswith("Hits 94.1 %")
    assert words(page, "head-clients").startswith("Clients 212 of 10,000")
    assert words(page, "head-trip").startswith("Round trip 1.9 ms")
    assert words(page, "head-evictions").startswith("Evictions 0 /s")
    assert "policy allkeys-lru" in words(page, "head-evictions")


def test_what_changed_against_the_week_before_is_said_and_what_is_alike_is_within_bound(
    look: Callable[..., str],
) -> None:
    one = well().server
    week_ago = timezone.now().timestamp() - 7 * 86_400
    past(one, days=7.1, step_s=120, but={"clients_count": lambda at_s: 200.0 if at_s < week_ago + 86_400 else 300.0})
    page = look("?range=1h")
    assert "the week before 200, +50 %" in words(page, "head-clients")
    assert "within bound" in words(page, "head-hits")
    assert "clients up against the week before, the rest is much as then" in words(page, "server-head")


def test_without_an_earlier_time_nothing_is_compared(look: Callable[..., str]) -> None:
    past(well().server, days=0.1)
    page = look("?range=1h")
    assert "nothing known of the week before" in words(page, "head-clients")
    assert "<h1>Memory 91 %</h1>" in page


def test_a_server_that_was_never_looked_at_says_what_it_waits_for(look: Callable[..., str]) -> None:
    server()
    page = look()
    assert "<h1>Nothing is known of orders-cache yet</h1>" in page
    assert "Waiting for the first sample." in page
    assert words(page, "head-memory").startswith("Memory unknown")


def test_a_server_that_is_down_keeps_its_last_figures_in_grey_with_their_time(look: Callable[..., str]) -> None:
    row = well()
    now = timezone.now()
    past(row.server, days=0.5, until_s=int(now.timestamp()) - HOUR_S)
    row.failing_since = row.figures_at = now - timedelta(hours=1)
    row.error_kind, row.error_text, row.failed_count = "unreachable", "Connection refused by 127.0.0.1:1 <x>.", 360
    row.save()
    page = look()
    assert "<h1>orders-cache cannot be reached; what is grey was last known</h1>" in page
    assert "Connection refused by 127.0.0.1:1 &lt;x&gt;." in page and "360 tries" in page
    assert f"Grey figures are from {row.figures_at:%-d %b %Y %H:%M:%S} UTC" in page
    assert re.search(r'<b class="cc-v stale">21.9', page)
    assert "sig-warn" not in words(page, "head-memory")
    assert "nothing seen in this stretch" not in page


def test_a_silent_sampler_is_named(look: Callable[..., str]) -> None:
    row = well()
    row.tried_at = row.figures_at = timezone.now() - timedelta(hours=2)
    row.save()
    page = look()
    assert "<h1>orders-cache was not sampled lately; what is grey was last known</h1>" in page
    assert "The sampling worker has fallen silent." in page


def test_a_hanging_server_costs_its_page_no_time(look: Callable[..., str], hanging_server: HangingServer) -> None:
    server(addresses=[{"host": "127.0.0.1", "port": hanging_server.port}])
    begun = timezone.now()
    look()
    assert (timezone.now() - begun).total_seconds() < 1.5, "the server itself is not asked, which would take its 3 s"


def test_every_registered_address_has_a_row(look: Callable[..., str]) -> None:
    addresses = [{"host": f"10.20.4.{n}", "port": 6379} for n in (7, 8, 9)]
    row = sampled(server(addresses=addresses), used_memory_bytes=2 * GIB, connected_replicas_count=2)
    at_s = timezone.now().timestamp()
    replica = {"role": "replica", "replica_lag_s": 4.0, "used_memory_bytes": GIB}
    row.raw["10.20.4.8:6379"] = {"redis_info": {"at_s": at_s, "figures": replica}}
    row.raw["10.20.4.9:6379"] = {"failed": {"at_s": at_s, "figures": {}, "error": "Connection refused <b>"}}
    row.save()
    page = look()
    first, second, third = re.findall(r"<tr.*?</tr>", words_of_rows(page), re.DOTALL)[1:4]
    assert "10.20.4.7:6379" in first and "primary" in first and "2<span" in first
    assert "replica" in second and "4<span" in second and "answers" in second
    assert "no answer" in third and "Connection refused &lt;b&gt;" in third
    assert "One primary, 2 replicas connected; 3 registered addresses." in words(page, "server-head")


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_real_server_that_was_sampled_twice_has_figures_and_lines(
    kind: str, world: World, bob: Operator, as_operator: SignIn
) -> None:
    for _ in range(2):
        assert sample_due(every_s=0).failed == ()
    client, key = as_operator(bob), f"{kind}-dev"
    page = client.get(f"/servers/{key}/").content.decode()
    head = "memory" if kind == "redis" else "connections"
    assert "unknown" not in words(page, f"head-{head}")
    charts = client.get(f"/servers/{key}/chart.json?range=1h").json()["charts"]
    assert any(value is not None for line in charts[head]["lines"] for value in line["mean"])


def test_a_server_that_stops_is_told_with_what_was_known(
    world: World, refusing_port: int, bob: Operator, as_operator: SignIn
) -> None:
    assert sample_due(every_s=0).failed == ()
    Server.objects.filter(key="redis-dev").update(addresses=[{"host": "127.0.0.1", "port": refusing_port}])
    assert sample_due(every_s=0).failed == ("redis-dev",)
    page = as_operator(bob).get("/servers/redis-dev/").content.decode()
    assert "<h1>redis-dev cannot be reached; what is grey was last known</h1>" in page
    assert "unknown" not in words(page, "head-memory")


def words_of_rows(page: str) -> str:
    return page.split('id="server-now"')[1]


def test_the_rights_that_are_missing_are_on_the_page(look: Callable[..., str]) -> None:
    lacking = {"ok": False, "missing": "ACL SETUSER console +slowlog|get", "reason": "It may not read the slow log."}
    found = {"monitor": {"slow.log": lacking, "activity.clients": {"ok": True}}}
    sampled(server(capabilities=found, probed_at=timezone.now()))
    page = look()
    assert "ACL SETUSER console +slowlog|get" in page
    assert "1 of 2 features" in words(page, "server-head")


def test_events_have_the_letters_that_the_charts_show(
    look: Callable[..., str], bob: Operator, as_operator: SignIn
) -> None:
    one, now = well().server, timezone.now()
    timeline.note("deploy", "Deploy <shop>-118", server=one, at=now - timedelta(hours=3))
    timeline.note("restart", "Restart, now 7.4.1", server=one, at=now - timedelta(hours=1))
    timeline.note("restart", "Too long ago", server=one, at=now - timedelta(days=3))
    events = words(look(), "server-events")
    assert re.search(r"B [\d:]{8} Restart, now 7.4.1 A [\d:]{8} Deploy <shop>-118", events)
    assert "Too long ago" not in events
    marks = as_operator(bob).get("/servers/orders-cache/chart.json").json()["marks"]
    assert [mark["letter"] for mark in marks] == ["A", "B"]
    assert marks[0]["at_s"] == int((now - timedelta(hours=3)).timestamp())


def test_many_events_leave_letters_to_the_newest(look: Callable[..., str]) -> None:
    one, now = well().server, timezone.now()
    for minutes in range(1, 21):
        timeline.note("deploy", f"Deploy {minutes}", server=one, at=now - timedelta(minutes=minutes))
    page = look()
    assert page.count('<span class="ev"></span>') == 8
    assert re.match(r"Events newest first, in UTC (Whole timeline )?L [\d:]{8} Deploy 1 ", words(page, "server-events"))


def test_a_postgres_tells_what_its_sessions_waited_for(look: Callable[..., str]) -> None:
    one = server("orders-db", "postgres")
    sampled(one)
    waits: dict[str, Figure] = {
        "sessions_waiting_count[Lock/transactionid]": lambda at_s: 6.0,
        "sessions_waiting_count[IO/<b>]": lambda at_s: 1.0,
        "sessions_by_wait_count[running]": lambda at_s: 3.0,
    }
    past(one, days=0.01, step_s=10, but=waits)
    shown = words(look(key="orders-db"), "server-waits")
    assert "Lock: transactionid 60 %" in shown
    assert "waits for nothing 30 %" in shown
    assert "IO: <b> 10 %" in shown


def test_a_postgres_at_rest_waits_for_nothing_and_one_not_sampled_has_no_panel(look: Callable[..., str]) -> None:
    one = server("orders-db", "postgres")
    sampled(one)
    assert "server-waits" not in look(key="orders-db")
    past(one, days=0.01, step_s=10, but={"sessions_by_wait_count[running]": lambda at_s: 0.0})
    assert "No session was at work" in words(look(key="orders-db"), "server-waits")


def test_a_redis_has_no_waits(look: Callable[..., str]) -> None:
    well()
    assert "server-waits" not in look()


def test_what_refreshes_answers_with_heads_nodes_and_events_and_no_charts(look: Callable[..., str]) -> None:
    well()
    part = look(part="server-now")
    for element in ("server-now", "server-head", "charts-note", "head-memory", "server-events"):
        assert f'id="{element}"' in part
    assert "data-chart=" not in part and "<html" not in part


def test_the_page_leads_to_the_connection_and_the_connection_back(
    look: Callable[..., str], bob: Operator, as_operator: SignIn
) -> None:
    well()
    assert "/servers/orders-cache/connection/" in look()
    assert 'href="/servers/orders-cache/"' in as_operator(bob).get("/servers/orders-cache/connection/").content.decode()


def test_a_stranger_sees_neither_the_page_nor_its_data(charlie: Operator, as_operator: SignIn) -> None:
    well()
    client = as_operator(charlie)
    assert client.get("/servers/orders-cache/").status_code == 404
    assert client.get("/servers/orders-cache/chart.json").status_code == 404


def test_hostile_names_from_a_server_are_escaped(look: Callable[..., str]) -> None:
    one = server(roles=["queue"])
    hostile = "queue_depth_count[rq:<script>x</script>]"
    sampled(one, **{hostile: 5, "role": "<i>primary</i>"})
    past(one, days=0.05, but={hostile: lambda at_s: 5.0, "queue_depth_count[rq:mail]": lambda at_s: 2.0})
    page = look("?range=1h&table=depth")
    assert "<script>x" not in page and "<i>primary" not in page
    assert "rq:&lt;script&gt;" in page
    assert words(page, "head-depth").startswith("Waiting in queues 5")


@pytest.mark.parametrize(("known_for_s", "title"), [(600, "1 hour"), (7200, "24 hours")])
def test_a_server_that_is_new_is_shown_by_the_hour(look: Callable[..., str], known_for_s: int, title: str) -> None:
    one = well().server
    now = int(time.time())
    fill(one, "redis_info", {"ops_per_s": lambda at: 5}, begin_s=now - known_for_s, end_s=now)
    assert f"<h2>{title}</h2>" in look()
    assert "<h2>7 days</h2>" in look("?range=7d")
