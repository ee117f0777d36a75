"""Bounds hold, are never narrower than known, and shrink to nothing when all was seen."""

from __future__ import annotations

import random

import pytest

from apps.keyspace.estimates import matching


def test_the_example_of_two_million_keys() -> None:
    told = matching(found_count=37, looked_count=10_000, total_count=2_134_880)
    assert (told.about_count, told.low_count, told.high_count) == (7_900, 5_700, 10_900)


def test_nothing_found_still_means_some_may_exist() -> None:
    told = matching(found_count=0, looked_count=10_000, total_count=2_000_000)
    assert told.about_count == told.low_count == 0
    assert 700 <= told.high_count <= 780


def test_everything_seen_leaves_no_doubt() -> None:
    told = matching(found_count=37, looked_count=500, total_count=500)
    assert (told.about_count, told.low_count, told.high_count) == (37, 37, 37)


@pytest.mark.parametrize(
    ("found", "looked", "total"), [(5, 5, 6), (10_000, 10_000, 10_001), (1, 1, 1_000_000), (0, 0, 9)]
)
def test_bounds_never_contradict_what_was_counted(found: int, looked: int, total: int) -> None:
    told = matching(found_count=found, looked_count=looked, total_count=total)
    assert found <= told.low_count <= told.high_count <= found + total - looked


def test_the_true_number_is_within_the_bound_about_95_times_of_100() -> None:
    dice = random.Random(11)
    keys = [True] * 600 + [False] * 49_400
    inside = 0
    for _ in range(400):
        found = sum(dice.sample(keys, 5_000))
        told = matching(found_count=found, looked_count=5_000, total_count=50_000)
        inside += told.low_count <= 600 <= told.high_count
    assert inside / 400 >= 0.93
