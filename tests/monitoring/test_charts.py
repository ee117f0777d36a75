"""What the charts are drawn from: stretches, scales, comparisons, tables, and the cost of a year."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from apps.accounts.models import Operator
from apps.history import store
from apps.history.levels import SHIFT
from apps.history.models import Held
from apps.monitoring.against import against, words
from apps.monitoring.charts import POSTGRES, REDIS, charts_of, largest
from apps.monitoring.drawn import scale
from apps.monitoring.measures import Measure, text
from apps.monitoring.spans import chosen
from apps.servers.models import Server
from tests.monitoring.seen import DAY_S, GIB, HOUR_S, past, sampled, server

NOW = datetime(2026, 11, 20, 3, 12, 36, tzinfo=UTC)
SignIn = Callable[[Operator], Client]
SPECS = {spec.key: spec for spec in REDIS}


# -- stretches of time -------------------------------------------------------------------------------------------------


def test_a_page_shows_the_last_day_unless_asked_otherwise() -> None:
    span = chosen({}, now=NOW)
    assert (span.key, span.end, span.length_s, span.compare) == ("24h", NOW, DAY_S, "")


@pytest.mark.parametrize(
    ("key", "length_s"), [("1h", HOUR_S), ("7d", 7 * DAY_S), ("31d", 31 * DAY_S), ("400d", 400 * DAY_S)]
)
def test_a_range_ends_now(key: str, length_s: int) -> None:
    span = chosen({"range": key}, now=NOW)
    assert (span.ends_now, span.end, span.length_s) == (True, NOW, length_s)


def test_a_stretch_of_ones_own_is_in_utc_and_does_not_move() -> None:
    span = chosen({"from": "2026-11-19T01:00", "to": "2026-11-19T02:30:05"}, now=NOW)
    assert span.begin == datetime(2026, 11, 19, 1, tzinfo=UTC) and span.length_s == 5405 and not span.ends_now
    assert span.query == "from=2026-11-19T01:00:00&to=2026-11-19T02:30:05"


def test_a_zone_that_is_given_counts() -> None:
    assert chosen({"from": "2026-11-19T03:00+02:00", "to": "2026-11-19T02:00Z"}, now=NOW).length_s == HOUR_S


@pytest.mark.parametrize(
    "asked",
    [
        {"range": "forever"}, {"from": "yesterday"}, {"from": "2026-11-19T02:00", "to": "2026-11-19T01:00"}, {"to": "9999-99-99"},
        {"from": "1970-01-01T00:00"}, {"from": "2026-11-19T02:00:00", "to": "2026-11-19T02:00:10"}, {"from": "2030-01-01T00:00"},
        {"to": "0001-01-01"}, {"from": "9999-12-31T23:59-23:00"}, {"from": "2026-11-19T01:00", "to": "later"},
        {"to": "0001-01-01"}, {"from": "9999-12-31T23:59-23:00"}, {"from": "2026-11-19T01:00", "to": "later"},
    ],
)  # fmt: skip
def test_a_stretch_that_makes_no_sense_is_said_and_the_last_day_is_shown(asked: dict[str, str]) -> None:
    span = chosen(asked, now=NOW)
    assert span.problem and (span.key, span.length_s) == ("24h", DAY_S)


def test_a_stretch_is_compared_only_with_one_that_it_does_not_overlap() -> None:
    assert chosen({"range": "24h", "compare": "day"}, now=NOW).shift_s == DAY_S
    assert chosen({"range": "7d", "compare": "day"}, now=NOW).compare == ""
    assert chosen({"range": "7d", "compare": "week"}, now=NOW).compare == "week"
    month = chosen({"range": "31d", "compare": "weeks"}, now=NOW)
    assert (month.shift_s, month.before) == (35 * DAY_S, "5 weeks before")
    assert chosen({"range": "400d"}, now=NOW).choices == ()


# -- figures and scales ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "measure", "expected"),
    [
        (21.9 * GIB, Measure.MEMORY, "21.9 GiB"), (6.4e6, Measure.FLOW, "6.4 MB/s"), (18_400, Measure.RATE, "18.4 k/s"),
        (0, Measure.RATE, "0 /s"), (0.941, Measure.SHARE, "94.1 %"), (250, Measure.DURATION, "4 min 10 s"), (0, Measure.DURATION, "0 s"),
        (10_000, Measure.COUNT, "10,000"), (None, Measure.COUNT, "unknown"),
    ],
)  # fmt: skip
def test_a_figure_is_written_with_its_unit(value: float | None, measure: Measure, expected: str) -> None:
    assert text(value, measure) == expected


def test_an_axis_begins_below_its_lines_on_a_round_figure_and_shows_a_limit_in_sight() -> None:
    floor, ceiling, limit = scale(SPECS["memory"], [(20.9 * GIB, None, 21.9 * GIB)], 24 * GIB)
    assert text(floor, Measure.MEMORY) == "19 GiB" and limit == 24 * GIB and ceiling > 24 * GIB


def test_a_limit_far_above_is_not_drawn() -> None:
    assert scale(SPECS["clients"], [(200.0, 220.0)], 10_000) == (0.0, 220 * 1.08, None)


def test_a_chart_of_nothing_has_a_scale() -> None:
    for spec in (*REDIS, *POSTGRES):
        floor, ceiling, limit = scale(spec, [(None, None)], spec.limit if isinstance(spec.limit, float) else None)
        assert floor < ceiling and limit is None, spec.key


def test_a_share_never_leaves_its_hundred_percent() -> None:
    floor, ceiling, _ = scale(SPECS["hits"], [(0.95, 0.952)], None)
    assert ceiling == 1.0 and 0.9 < floor < 0.95
    assert scale(SPECS["hits"], [(0.0, 1.0)], None)[:2] == (0.0, 1.0)


# -- against an earlier time -------------------------------------------------------------------------------------------


def test_the_same_daily_curve_is_within_its_bound_and_a_tenth_more_is_not() -> None:
    usual = [100 + 40 * math.sin(n / 30) + 3 * math.sin(n * 7.3) for n in range(360)]
    again = [100 + 40 * math.sin(n / 30) + 3 * math.sin(n * 5.1) for n in range(360)]
    same, more = against(again, usual), against([value * 1.1 for value in again], usual)
    assert same and same.within_bound and more and not more.within_bound
    assert words(more, Measure.COUNT, before="the week before") == "the week before 101, +10 %"


def test_gaps_are_left_out_of_a_comparison_and_too_little_says_nothing() -> None:
    assert against([1.0] * 7 + [None] * 50, [2.0] * 57) is None
    found = against([1.0] * 8 + [None] * 50, [2.0] * 8 + [900.0] * 50)
    assert found and found.before == 2.0
    assert words(None, Measure.COUNT, before="the day before") == "nothing known of the day before"


def test_nothing_then_and_nothing_now_is_said_as_such() -> None:
    assert (
        words(against([0.0] * 20, [0.0] * 20), Measure.RATE, before="the day before") == "none, and none the day before"
    )


# -- which charts ------------------------------------------------------------------------------------------------------


def test_each_kind_has_six_charts_and_a_role_brings_its_own() -> None:
    def keys(one: Server, **figures: str) -> list[str]:
        return [spec.key for spec in charts_of(one, figures)]

    redis, postgres = Server(kind="redis"), Server(kind="postgres")
    assert keys(redis) == ["memory", "operations", "hits", "clients", "trip", "evictions"]
    assert keys(postgres) == ["connections", "transactions", "hits", "wal", "lag", "longest"]
    assert keys(Server(kind="redis", roles=["queue"]))[6:] == ["depth", "oldest"]
    assert keys(redis, role="replica")[6:] == ["lag"]


def test_no_key_of_a_chart_is_taken_twice() -> None:
    for one, figures in (
        (Server(kind="redis", roles=["queue"]), {"role": "replica"}),
        (Server(kind="postgres", roles=["queue"]), {}),
    ):
        keys = [spec.key for spec in charts_of(one, figures)]
        assert len(keys) == len(set(keys))


def test_the_largest_labels_are_drawn_each_in_a_colour_of_its_own() -> None:
    curves = largest({f"queue_depth_count[q{n}]": float(n) for n in range(9)})
    assert [curve.title for curve in curves] == ["q8", "q7", "q6", "q5", "q4"]
    assert [curve.colour for curve in curves] == [1, 2, 3, 4, 5]


# -- the data and the table --------------------------------------------------------------------------------------------


@pytest.fixture
def cache(db: None, settings: Settings) -> Server:
    settings.REQUIRE_SECOND_FACTOR = False
    one = server()
    sampled(one, used_memory_bytes=21.9 * GIB, maxmemory_bytes=24 * GIB, clients_count=212)
    return one


def test_a_gap_stays_a_gap_in_lines_and_is_said_in_the_table(cache: Server, bob: Operator, as_operator: SignIn) -> None:
    now_s = int(time.time())
    hole = range(now_s - 40 * 60, now_s - 20 * 60)
    past(
        cache,
        days=0.1,
        step_s=10,
        but={name: lambda at_s: None if at_s in hole else 5.0 for name in ("clients_count", "ops_per_s")},
    )
    client = as_operator(bob)
    data = client.get("/servers/orders-cache/chart.json?range=1h").json()
    mean = data["charts"]["clients"]["lines"][0]["mean"]
    by_time = dict(zip(data["at_s"], mean, strict=True))
    inside = [value for at_s, value in by_time.items() if hole.start + 10 <= at_s < hole.stop - 10]
    assert inside and set(inside) == {None}
    assert {value for at_s, value in by_time.items() if at_s > hole.stop + 10} == {5.0}
    page = client.get("/servers/orders-cache/?range=1h&table=clients").content.decode()
    assert "not looked at" in page and "Clients as a table" in page


def test_a_table_gives_the_mean_and_what_lay_around_it(cache: Server, bob: Operator, as_operator: SignIn) -> None:
    past(cache, days=0.5, step_s=10, but={"clients_count": lambda at_s: 100.0 + 100 * (at_s // 10 % 2)})
    page = as_operator(bob).get("/servers/orders-cache/?table=clients&compare=day").content.decode()
    assert "150 (100 to 200)" in page and "clients, the day before" in page and "times in UTC" in page


def test_a_table_of_no_chart_is_no_table(cache: Server, bob: Operator, as_operator: SignIn) -> None:
    answer = as_operator(bob).get("/servers/orders-cache/?table=<x>")
    assert answer.status_code == 200 and "as a table</h2>" not in answer.content.decode()


def test_a_point_of_several_samples_has_a_band(cache: Server, bob: Operator, as_operator: SignIn) -> None:
    past(cache, days=0.5, step_s=10, but={"ops_per_s": lambda at_s: 10.0 + at_s % 60})
    line = as_operator(bob).get("/servers/orders-cache/chart.json").json()["charts"]["operations"]["lines"][0]
    least, mean, most = (line[part][-5] for part in ("least", "mean", "most"))
    assert least < mean < most


def test_the_data_is_kept_by_nobody_and_has_the_earlier_line_only_when_asked(
    cache: Server, bob: Operator, as_operator: SignIn
) -> None:
    past(cache, days=8.1, step_s=120)
    client = as_operator(bob)
    alone = client.get("/servers/orders-cache/chart.json")
    assert alone["Cache-Control"] == "no-store"
    assert alone.json()["charts"]["clients"]["lines"][0]["before"] is None
    line = client.get("/servers/orders-cache/chart.json?compare=week").json()["charts"]["clients"]["lines"][0]
    known = [(now, then) for now, then in zip(line["mean"], line["before"], strict=True) if now and then]
    assert len(known) > 300
    assert all(abs(now - then) < 2 for now, then in known), (
        "the load of each day is the same, so lines lie on each other"
    )


def test_a_chart_of_400_days_reads_no_more_rows_than_it_has_points(
    cache: Server, bob: Operator, as_operator: SignIn
) -> None:
    year(cache)
    client, path = as_operator(bob), "/servers/orders-cache/chart.json?range=400d"
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        data = client.get(path).json()
    assert len(asked) < 40, [query["sql"][:80] for query in asked]
    assert rows_of(asked) <= 2 * 1700, "this stretch and the one before it"
    mean = data["charts"]["clients"]["lines"][0]["mean"]
    assert len(mean) <= 1600 and sum(value is not None for value in mean) > 300


def year(one: Server) -> None:
    """400 days of shifts, as roll-ups leave them, and a day of finer samples."""
    now_s = int(time.time())
    past(one, days=1, step_s=60)
    source = store.source_of(one.pk, "", "redis_info")
    example = SHIFT.rows.filter(source_id=source).order_by("at_s").first()
    assert example is not None
    moments = range(example.at_s - 400 * DAY_S, example.at_s, SHIFT.step_s)
    rows = [
        SHIFT.model(source_id=source, at_s=at_s, layout_id=example.layout_id, packed=example.packed) for at_s in moments
    ]
    store.write(SHIFT, rows)
    Held.objects.filter(source_id=source).update(first_s=now_s - 401 * DAY_S)


def rows_of(asked: CaptureQueriesContext) -> int:
    """How many rows the statements about samples give, asked once more."""
    samples = [
        query["sql"]
        for query in asked
        if any(f'"history_{level}"' in query["sql"] for level in ("raw", "minute", "quarter", "shift"))
    ]
    assert samples
    count = 0
    with connection.cursor() as cursor:
        for statement in samples:
            cursor.execute(f"SELECT count(*) FROM ({statement}) AS again")
            count += cursor.fetchone()[0]
    return count


def test_a_figure_that_is_not_seen_any_more_ends_where_it_ended(
    cache: Server, bob: Operator, as_operator: SignIn
) -> None:
    end_s = int(time.time()) - HOUR_S
    past(cache, days=0.2, step_s=10, until_s=end_s)
    data = as_operator(bob).get("/servers/orders-cache/chart.json").json()
    mean = dict(zip(data["at_s"], data["charts"]["clients"]["lines"][0]["mean"], strict=True))
    assert {value for at_s, value in mean.items() if at_s > end_s} == {None}
    assert any(value for at_s, value in mean.items() if at_s < end_s)


def test_a_stretch_in_the_past_shows_its_own_last_figure(cache: Server, bob: Operator, as_operator: SignIn) -> None:
    past(cache, days=2, step_s=60, but={"clients_count": lambda at_s: 77.0})
    begin = datetime.now(UTC) - timedelta(hours=30)
    query = f"?from={begin:%Y-%m-%dT%H:%M}&to={begin + timedelta(hours=2):%Y-%m-%dT%H:%M}"
    page = as_operator(bob).get(f"/servers/orders-cache/{query}").content.decode()
    assert '<b class="cc-v">77<span' in page and "data-live" not in page
