"""How many keys match, told from those that were looked at. SCAN's order behaves as a random sample of the keyspace."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Counts of keys: the middle, and the 95 % bound around it."""

    about_count: int
    low_count: int
    high_count: int


def matching(*, found_count: int, looked_count: int, total_count: int) -> Estimate:
    """Wilson's interval of the share, times the number of keys; narrowed where a good part of all was seen.

    The plain normal interval is wrong for rare patterns: nothing found still means up to 3.8 in as many looked at. Never
    less than what was found, nor more than what was found and what was not looked at.
    """
    if looked_count <= 0:
        return Estimate(about_count=0, low_count=0, high_count=total_count)
    share = found_count / looked_count
    left_ratio = max(0.0, 1 - looked_count / total_count) if total_count else 0.0
    z = Z_95 * math.sqrt(left_ratio)
    middle = (share + z * z / (2 * looked_count)) / (1 + z * z / looked_count)
    half = (
        z * math.sqrt(share * (1 - share) / looked_count + z * z / (4 * looked_count**2)) / (1 + z * z / looked_count)
    )
    unseen_count = max(0, total_count - looked_count)
    return Estimate(
        about_count=_about(share * total_count),
        low_count=max(found_count, _outward(max(0.0, middle - half) * total_count, up=False)),
        high_count=min(found_count + unseen_count, _outward((middle + half) * total_count, up=True)),
    )


def _digits(value: float) -> int:
    """Two significant digits, or three after a leading 1: 5,734 -> 2, 10,877 -> 3."""
    return 3 if str(int(value))[0] == "1" else 2


def _about(value: float) -> int:
    if value < 100:
        return round(value)
    step = float(10 ** (math.floor(math.log10(value)) - 1))
    return int(round(value / step) * step)


def _outward(value: float, *, up: bool) -> int:
    """Rounded so that the bound never becomes narrower than it is."""
    toward = math.ceil if up else math.floor
    if value < 100:
        return toward(value)
    step = float(10 ** (math.floor(math.log10(value)) + 1 - _digits(value)))
    return int(toward(value / step) * step)
