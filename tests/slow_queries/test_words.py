"""Figures of statements in words."""

from __future__ import annotations

import pytest

from apps.slow_queries import words


@pytest.mark.parametrize(
    ("average", "said"), [(0.0, "0"), (3.0, "3"), (0.96, "1.0"), (1204.46, "1,204.5"), (1_000_000.0, "1,000,000")]
)
def test_an_average_has_a_decimal_unless_it_is_whole(average: float, said: str) -> None:
    assert words.each(average) == said
