"""A limit is foretold as a range where growth is a line, and not at all where it is not."""

from __future__ import annotations

import math
import random
import time

import pytest

from apps.engine.units import duration_range
from apps.history.forecast import Forecast, forecast
from apps.history.forecasts import foretell
from apps.history.models import LastKnown
from tests.history.conftest import register
from tests.history.filled import fill, gather

DAY = 86_400
AT = list(range(0, 3 * DAY, 600))


def test_a_line_reaches_its_limit_when_it_does() -> None:
    found = forecast(AT, [10 + at / DAY for at in AT], limit=15)
    assert found is not None
    assert found.per_day == pytest.approx(1)
    assert found.low_s == pytest.approx(2 * DAY, rel=0.01)
    assert found.when == "in about 2 days"


@pytest.mark.parametrize("seed", range(20))
def test_noise_widens_the_range_and_the_truth_lies_in_it(seed: int) -> None:
    noise = random.Random(seed)
    found = forecast(AT, [10 + at / DAY + noise.gauss(0, 0.8) for at in AT], limit=16)
    assert found is not None and found.high_s is not None
    assert found.low_s < 3.05 * DAY
    assert found.high_s > 2.95 * DAY
    assert found.high_s - found.low_s > 0.05 * DAY


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([10.0] * len(AT), id="it does not grow"),
        pytest.param([15 - at / DAY for at in AT], id="it falls"),
        pytest.param([10 + math.sin(at / 4000) for at in AT], id="it swings"),
        pytest.param([10 + 4 * (at > 2.5 * DAY) for at in AT], id="it jumped once"),
        pytest.param([10 + at / DAY / 1000 for at in AT], id="the limit is further than can be told"),
        pytest.param([20.0 + at for at in AT], id="the limit is behind it"),
        pytest.param([None] * len(AT), id="nobody looked"),
        pytest.param([*[None] * (len(AT) - 5), 1.0, 2.0, 3.0, 4.0, 5.0], id="five points are no line"),
    ],
)
def test_nothing_is_foretold_where_a_line_is_not_honest(values: list[float | None]) -> None:
    assert forecast(AT, values, limit=16) is None


def test_growth_that_stopped_may_never_get_there() -> None:
    values = [10 + min(at / DAY, 1.4) + random.Random(at).gauss(0, 0.02) for at in AT]
    found = forecast(AT, values, limit=13)
    assert found is not None
    assert found.high_s is None
    assert found.when.endswith("at the earliest")


def test_gaps_are_left_out() -> None:
    values = [None if DAY < at < 2 * DAY else 10 + at / DAY for at in AT]
    found = forecast(AT, values, limit=15)
    assert found is not None and found.when == "in about 2 days"


@pytest.mark.parametrize(
    ("low_s", "high_s", "words"),
    [
        (2 * DAY, 3 * DAY, "2 to 3 days"),
        (2 * DAY, 2.2 * DAY, "about 2 days"),
        (20 * DAY, 70 * DAY, "1 to 2 months"),
        (3600, 5 * 3600, "1 to 5 hours"),
        (100, 5 * 3600, "less than 5 hours"),
        (10, 40, "less than 1 minute"),
    ],
)
def test_a_range_is_told_in_one_unit(low_s: float, high_s: float, words: str) -> None:
    assert duration_range(low_s, high_s) == words


def test_a_forecast_says_when() -> None:
    assert Forecast(low_s=2 * DAY, high_s=3 * DAY, per_day=1, per_day_bound=0.1).when == "in 2 to 3 days"


@pytest.mark.django_db
def test_a_memory_that_fills_is_told_with_its_server() -> None:
    server = register("orders-cache", "redis", "10.0.0.1", 6379)
    LastKnown.objects.create(server=server, figures={"maxmemory_bytes": 1000.0})
    now = int(time.time()) // 900 * 900
    grown = {"used_memory_bytes": lambda at: 900 + (at - now) / DAY * 100, "clients_count": lambda at: 5.0}
    fill(server, "redis_info", grown, begin_s=now - 2 * DAY, end_s=now, step_s=300)
    gather(now_s=now + 60)
    assert foretell(now_s=now) == 1
    (told,) = LastKnown.objects.get().forecasts
    assert told["figure"] == "used_memory_bytes"
    assert told["words"] == "memory fills in about 24 hours"
