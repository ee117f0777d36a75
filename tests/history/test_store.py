"""What was seen comes back as it was: at every level, with gaps where nobody looked."""

from __future__ import annotations

import math
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.engine.contracts.probe import Value
from apps.history import retention, series, store
from apps.history.levels import DAY_S, HOUR_S, LEVELS, MINUTE, QUARTER, RAW, SHIFT
from apps.history.models import Held, LastKnown, Layout, Mark, Source
from apps.history.rollups import roll_up
from apps.servers.models import Server
from tests.history.conftest import register
from tests.history.filled import fill, gather

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Server:
    return register("orders-cache", "redis", "10.0.0.1", 6379)


def just_now(step_s: int) -> int:
    """The begin of the present window of `step_s`."""
    return int(time.time()) // step_s * step_s


def test_raw_samples_come_back_at_their_own_moments(server: Server) -> None:
    end = int(time.time())
    fill(
        server,
        "redis_info",
        {"ops_per_s": lambda at: at - end, "keys_count": lambda at: 7},
        begin_s=end - 50,
        end_s=end,
    )
    chart = series.read(server, ["ops_per_s", "keys_count"], begin_s=end - 60, end_s=end)
    assert chart.at_s == tuple(range(end - 50, end, 10))
    assert chart.lines["ops_per_s"].mean == (-50, -40, -30, -20, -10)
    assert chart.lines["keys_count"].mean == (7,) * 5


def test_a_figure_that_nobody_saw_is_a_line_of_nothing(server: Server) -> None:
    end = int(time.time())
    fill(server, "redis_info", {"ops_per_s": lambda at: 1}, begin_s=end - 30, end_s=end)
    chart = series.read(server, ["ops_per_s", "unheard_of"], begin_s=end - 60, end_s=end)
    assert set(chart.lines["unheard_of"].mean) == {None}
    assert chart.lines["unheard_of"].last is None


def test_missed_ticks_are_a_gap_and_not_a_line(server: Server) -> None:
    end = int(time.time())
    fill(server, "redis_info", {"ops_per_s": lambda at: 5}, begin_s=end - 100, end_s=end - 70)
    fill(server, "redis_info", {"ops_per_s": lambda at: 5}, begin_s=end - 30, end_s=end)
    chart = series.read(server, ["ops_per_s"], begin_s=end - 100, end_s=end)
    assert chart.lines["ops_per_s"].mean == (5, 5, 5, None, 5, 5, 5)


def test_a_figure_the_server_did_not_say_is_left_out_alone(server: Server) -> None:
    end = int(time.time())
    figures = {"ops_per_s": lambda at: None if at == end - 20 else 5.0, "keys_count": lambda at: 1.0}
    fill(server, "redis_info", figures, begin_s=end - 30, end_s=end)
    chart = series.read(server, [*figures], begin_s=end - 30, end_s=end)
    assert chart.lines["ops_per_s"].mean == (5, None, 5)
    assert chart.lines["keys_count"].mean == (1, 1, 1)


def test_a_rarely_asked_figure_stands_until_it_is_asked_again_but_not_over_a_gap(server: Server) -> None:
    end = int(time.time())
    for begin, until in ((end - 200, end - 100), (end - 40, end)):
        fill(server, "postgres_stats", {"tx_per_s": lambda at: 1}, begin_s=begin, end_s=until)
    fill(server, "postgres_size", {"size_bytes": lambda at: 9}, begin_s=end - 200, end_s=end - 190)
    chart = series.read(server, ["tx_per_s", "size_bytes"], begin_s=end - 200, end_s=end)
    assert chart.lines["size_bytes"].mean == (*(9,) * 10, None, *(9,) * 4)
    assert chart.lines["tx_per_s"].mean == (*(1,) * 10, None, *(1,) * 4)


def test_a_minute_knows_mean_least_and_most(server: Server) -> None:
    begin = just_now(60) - 3 * HOUR_S
    fill(server, "redis_info", {"ops_per_s": lambda at: (at - begin) % 60}, begin_s=begin, end_s=begin + 3 * HOUR_S)
    gather(now_s=begin + 3 * HOUR_S + 60)
    chart = series.read(server, ["ops_per_s"], begin_s=begin - 20 * HOUR_S, end_s=begin + 2 * HOUR_S)
    line = chart.lines["ops_per_s"]
    assert chart.step_s == 60
    assert {v for v in line.mean if v is not None} == {25}
    assert {v for v in line.least if v is not None} == {0}
    assert {v for v in line.most if v is not None} == {50}
    assert line.mean[:1200] == (None,) * 1200, "nobody looked before"
    assert None not in line.mean[1200:]


def test_every_level_tells_the_same_mean_weighed_by_samples(server: Server) -> None:
    """Half of the samples are missing in every second minute: a mean of means would be wrong."""
    begin = just_now(SHIFT.step_s) - SHIFT.step_s
    store.keep(
        store.Seen(
            server=server, node="", probe="redis_info", at_s=at, figures={"ops_per_s": float(at // 60 % 2 * 100)}
        )
        for at in range(begin, begin + SHIFT.step_s, 10)
        if at // 60 % 2 or at % 20 == 0
    )
    gather(now_s=begin + SHIFT.step_s + 60)
    assert [level.rows.count() for level in LEVELS] == [360 * 6 * 3 // 4, 360, 24, 1]
    assert Mark.objects.get(level="shift").until_s == begin + SHIFT.step_s
    whole = series._rows(SHIFT, Source.objects.get().pk, begin, begin + SHIFT.step_s, {"shift": begin + SHIFT.step_s})
    ((_, layout, packed, _),) = whole
    assert store.names_of(layout) == ("ops_per_s",)
    assert list(store.unpacked(packed)) == pytest.approx([200 / 3, 0, 100, 360 * 6 * 3 / 4])


def test_what_is_not_rolled_up_yet_comes_from_the_level_below(server: Server) -> None:
    end = just_now(60) + 60
    fill(server, "redis_info", {"ops_per_s": lambda at: 3}, begin_s=end - 300, end_s=end)
    chart = series.read(server, ["ops_per_s"], begin_s=end - 7 * DAY_S, end_s=end)
    assert chart.step_s == QUARTER.step_s
    assert chart.lines["ops_per_s"].mean[-1] == 3


def test_labels_come_and_go_within_a_window(server: Server) -> None:
    begin = just_now(60) - 600
    fill(server, "redis_info", {"depth[a]": lambda at: 1, "depth[b]": lambda at: 2}, begin_s=begin, end_s=begin + 30)
    fill(server, "redis_info", {"depth[b]": lambda at: 4}, begin_s=begin + 30, end_s=begin + 60)
    gather(now_s=begin + 120)
    assert series.labels(server, "depth", begin_s=begin, end_s=begin + 600) == ("a", "b")
    names = store.names_of(MINUTE.rows.get().layout_id)
    assert names == ("depth[a]", "depth[b]")
    assert list(store.unpacked(MINUTE.rows.get().packed)) == [1, 3, 1, 2, 1, 4, 3, 6]


def test_a_window_gathered_twice_is_the_same(server: Server) -> None:
    begin = just_now(900) - 1800
    fill(server, "redis_info", {"ops_per_s": lambda at: at % 7}, begin_s=begin, end_s=begin + 1800)
    gather(now_s=begin + 1900)
    before = [list(level.rows.order_by("at_s").values_list("at_s", "packed")) for level in (MINUTE, QUARTER)]
    Mark.objects.all().delete()
    gather(now_s=begin + 1900)
    after = [list(level.rows.order_by("at_s").values_list("at_s", "packed")) for level in (MINUTE, QUARTER)]
    assert [[(a, bytes(p)) for a, p in rows] for rows in before] == [[(a, bytes(p)) for a, p in rows] for rows in after]


def test_after_a_step_back_of_the_clock_what_is_seen_anew_is_gathered_again(server: Server) -> None:
    now = just_now(60)
    Mark.objects.create(level="minute", until_s=now + HOUR_S)
    fill(server, "redis_info", {"ops_per_s": lambda at: 2}, begin_s=now, end_s=now + 60)
    roll_up(now_s=now + 90)
    assert MINUTE.rows.count() == 1


def test_the_overview_has_the_load_of_the_last_hour_without_reading_samples(server: Server) -> None:
    begin = just_now(60) - 2 * HOUR_S
    LastKnown.objects.create(server=server)
    fill(server, "redis_info", {"ops_per_s": lambda at: (at - begin) // 60}, begin_s=begin, end_s=begin + 2 * HOUR_S)
    gather(now_s=begin + 2 * HOUR_S + 30)
    spark = LastKnown.objects.get().spark
    assert [value for _, value in spark] == list(range(60, 120))


def test_numbers_that_do_not_fit_and_words_are_left_out(server: Server) -> None:
    figures: dict[str, Value] = {"huge": 1e300, "not_a_number": math.nan, "version": "7.0", "fine": 1.0}
    assert store.keep([store.Seen(server=server, node="", probe="redis_info", at_s=10, figures=figures)]) == 1
    assert store.names_of(RAW.rows.get().layout_id) == ("fine",)


def test_what_is_too_old_goes_and_nothing_else(server: Server) -> None:
    now = int(time.time())
    fill(server, "redis_info", {"ops_per_s": lambda at: 1}, begin_s=now - 4 * DAY_S, end_s=now - 4 * DAY_S + 13_000)
    fill(server, "redis_info", {"ops_per_s": lambda at: 1}, begin_s=now - 100, end_s=now)
    retention.forget_old(now_s=now)
    assert RAW.rows.count() == 10
    assert RAW.rows.order_by("at_s").first().at_s == now - 100  # type: ignore[union-attr]


def test_the_samples_of_a_server_that_is_gone_go_after_it(server: Server) -> None:
    other = register("other", "redis", "10.0.0.2", 6379)
    now = int(time.time())
    for each in (server, other):
        fill(each, "redis_info", {"ops_per_s": lambda at: 1}, begin_s=now - 3000 * 10, end_s=now)
    server.delete()
    assert RAW.rows.count() == 6000, "deleting a server does not wait for its samples"
    retention.forget_old(now_s=now)
    assert RAW.rows.count() == 3000
    assert [s.server_id for s in Source.objects.all()] == [other.pk]


def test_a_layout_is_kept_once_for_all_servers_and_held_while_it_is_used(server: Server) -> None:
    other = register("other", "redis", "10.0.0.2", 6379)
    now = int(time.time())
    for each in (server, other):
        fill(each, "redis_info", {"ops_per_s": lambda at: 1}, begin_s=now - 20, end_s=now)
    assert Layout.objects.count() == 1
    assert Held.objects.filter(last_s=None).count() == 2


@pytest.mark.parametrize("days", [3, 400])
def test_a_chart_of_400_days_reads_no_more_the_more_is_kept(server: Server, days: int) -> None:
    now = just_now(SHIFT.step_s)
    source = store.source_of(server.pk, "", "redis_info")
    fill(server, "redis_info", {"ops_per_s": lambda at: 1}, begin_s=now - 10, end_s=now)
    layout = RAW.rows.get().layout_id
    packed = bytes(RAW.rows.get().packed) * 4
    Held.objects.update(first_s=now - days * DAY_S)
    for level in (QUARTER, SHIFT):
        rows = [
            level.model(source_id=source, at_s=at, layout_id=layout, packed=packed)
            for at in range(now - days * DAY_S, now, level.step_s)
        ]
        store.write(level, rows)
        Mark.objects.create(level=level.name, until_s=now)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        chart = series.read(server, ["ops_per_s"], begin_s=now - 400 * DAY_S, end_s=now)
    assert len(asked) <= 4
    assert len(chart.at_s) == 1600
    assert sum(value is not None for value in chart.lines["ops_per_s"].mean) == min(days * 4, 1600)
