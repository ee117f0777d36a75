"""The line of the last hour: to scale, broken where nobody looked, absent where there is nothing to draw."""

from __future__ import annotations

import pytest

from apps.overview.sparks import SPAN_S, spark

NOW = 1_700_000_000


def minutes(*values: float | None) -> list[tuple[int, float]]:
    """One value a minute up to now; None for a minute that nobody saw."""
    begin = NOW - 60 * (len(values) - 1)
    return [(begin + 60 * n, value) for n, value in enumerate(values) if value is not None]


def test_the_highest_minute_is_at_the_top_and_now_at_the_right() -> None:
    drawn = spark(minutes(0, 5, 10), now_s=NOW, unit="commands")
    assert drawn is not None
    assert drawn.line == "M96.7 19.0L98.3 11.0L100.0 3.0"
    assert drawn.words == "0 to 10 commands a second in the last hour, 3 minutes of it seen"


def test_minutes_that_nobody_saw_break_the_line() -> None:
    drawn = spark(minutes(5, 5, None, None, None, 5, 5), now_s=NOW, unit="commands")
    assert drawn is not None
    assert drawn.line.count("M") == drawn.area.count("Z") == 2


def test_an_idle_server_is_a_line_at_the_bottom() -> None:
    drawn = spark(minutes(0, 0), now_s=NOW, unit="commands")
    assert drawn is not None and drawn.line == "M98.3 19.0L100.0 19.0"


@pytest.mark.parametrize("points", [[], minutes(5), [(NOW - SPAN_S - 60, 5.0), (NOW - SPAN_S - 120, 5.0)]])
def test_what_was_not_seen_in_the_last_hour_has_no_line(points: list[tuple[int, float]]) -> None:
    assert spark(points, now_s=NOW, unit="commands") is None
