"""Statistics come when the server gets to it: read until they are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from apps.engine.contracts.probe import Value

Seen = Mapping[str, Value]
LONGEST_S = 15.0


def number(seen: Mapping[str, Value], name: str) -> float:
    """A figure that has to be known."""
    value = seen[name]
    assert isinstance(value, int | float), f"{name} is {value!r}"
    return float(value)


def until(read: Callable[[], Seen], true: Callable[[Seen], bool]) -> Seen:
    """The first reading of which it is true, at most 15 seconds on."""
    ends_at = time.monotonic() + LONGEST_S
    while not true(seen := read()):
        assert time.monotonic() < ends_at, seen
        time.sleep(0.1)
    return seen
