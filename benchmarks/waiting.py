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

# Where a question begins and ends, and where it only begins or ends: what is done in between is done while the server works.
PLACES: tuple[tuple[Any, str, str], ...] = (
    (redis.RedisNode, "send", "opening"),
    (redis.RedisNode, "receive", "closing"),
    (redis, "_connected", "around"),
    (postgres.PostgresNode, "_run", "around"),
    (postgres, "_connected", "around"),
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

    def _note(self, args: tuple[Any, ...]) -> None:
        if trip := trip_of(args[0], args[1:]):
            self.trips.append(trip)

    def opening(self, question: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(question)
        def timed(*args: Any, **more: Any) -> Any:
            self._begin()
            self._note(args)
            try:
                return question(*args, **more)
            except BaseException:
                self._end()
                raise

        return timed

    def closing(self, question: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(question)
        def timed(*args: Any, **more: Any) -> Any:
            try:
                return question(*args, **more)
            finally:
                self._end()

        return timed

    def around(self, question: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(question)
        def timed(*args: Any, **more: Any) -> Any:
            self._begin()
            self._note(args)
            try:
                return question(*args, **more)
            finally:
                self._end()

        return timed


@contextmanager
def waiting() -> Iterator[Waiting]:
    """Put the clock around every question to a managed server; taken off again at the end."""
    clock = Waiting()
    before = [(place, name, how, getattr(place, name)) for place, name, how in PLACES]
    for place, name, how, question in before:
        setattr(place, name, getattr(clock, how)(question))
    try:
        yield clock
    finally:
        for place, name, _, question in before:
            setattr(place, name, question)
