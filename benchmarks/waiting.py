"""How long a page waits for the servers it shows, and how often it asks them: a clock around the two places where that happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from apps.engine.connections import postgres, redis
from benchmarks.replay import Trip, trip_of

PLACES: tuple[tuple[Any, str], ...] = (
    (redis.RedisNode, "pipeline"),
    (redis, "_connected"),
    (postgres.PostgresNode, "_run"),
    (postgres, "_connected"),
)


class Waiting:
    """`waited_s` is the time in which at least one question was open, so that servers asked side by side count once.

    Sending, parsing and the driver's own work are in it; what the console makes of an answer is not. `trips` are the questions.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._since = 0.0
        self.reset()

    def reset(self) -> None:
        self.waited_s = 0.0
        self.trips_count = 0
        self.trips: list[Trip] = []

    def _begin(self) -> None:
        with self._lock:
            if self._open == 0:
                self._since = time.perf_counter()
            self._open += 1
            self.trips_count += 1

    def _end(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0:
                self.waited_s += time.perf_counter() - self._since

    def around(self, question: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(question)
        def timed(*args: Any, **more: Any) -> Any:
            self._begin()
            if trip := trip_of(args[0], args[1:]):
                self.trips.append(trip)
            try:
                return question(*args, **more)
            finally:
                self._end()

        return timed


@contextmanager
def waiting() -> Iterator[Waiting]:
    """Put the clock around every question to a managed server; taken off again at the end."""
    clock = Waiting()
    before = [(place, name, getattr(place, name)) for place, name in PLACES]
    for place, name, question in before:
        setattr(place, name, clock.around(question))
    try:
        yield clock
    finally:
        for place, name, question in before:
            setattr(place, name, question)
