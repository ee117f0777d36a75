"""Keeps a run within what its server can spare: pages that others do not feel, and rests between them.

What others feel is measured, not guessed: a PING on a second connection is sent right behind each page, and the time until its
answer is what any other client had to wait at that moment. First pages become smaller; only then the rests become longer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import TypeAlias, TypeVar

from apps.engine.connections.redis import Command, RedisNode, Reply, redis_node
from apps.engine.errors import EngineError
from apps.engine.target import Target

SMALLEST_PAGE = 10
LARGEST_PAGE = 200
LARGEST_PAGE_AT_FULL_SPEED = 1000
COMFORT_S = 0.0005
LIMIT_S = 0.005
STRAINED_FOR_S = 30.0
LONGEST_REST_S = 2.0
KEPT = 200
FELT_EVERY = 8  # pages, where none rests
PING: Sequence[Command] = [("PING",)]

Given = TypeVar("Given")
Steps: TypeAlias = Generator[None, None, Given]


def begun(steps: Steps[Given]) -> Callable[[], Given]:
    """Take the first step now; called, it takes the others and gives what comes of them."""
    try:
        next(steps)
    except StopIteration as over:
        value: Given = over.value
        return lambda: value
    return partial(_rest_of, steps)


def _rest_of(steps: Steps[Given]) -> Given:
    while True:
        try:
            next(steps)
        except StopIteration as over:
            value: Given = over.value
            return value


class Strained(EngineError):
    """The server answers others too slowly for too long, with the smallest pages: the run has to end."""

    kind = "strained"


@dataclass(slots=True, kw_only=True)
class Pace:
    """The rules alone, without a server: what each page says about the next. Times in seconds.

    `budget_ratio` is the share of the server's time that the run may take; 1.0 is no rest at all.
    """

    budget_ratio: float
    largest: int = LARGEST_PAGE
    comfort_s: float = COMFORT_S
    page_size: int = SMALLEST_PAGE * 5
    felt: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    slowed: bool = False
    _strained_since: float | None = None

    def learn(self, *, felt_s: float, busy_s: float, now: float) -> float:
        """Takes what others felt during a page and how long it kept the server busy. Sets the size of the next one, and returns
        how long to rest before it.

        Errors: Strained when they felt more than 5 ms for half a minute although pages are as small as they get.
        """
        self.felt.append(felt_s)
        small = self.page_size <= SMALLEST_PAGE
        if felt_s > self.comfort_s:
            self.page_size = max(SMALLEST_PAGE, self.page_size // 2)
        elif felt_s < self.comfort_s / 2:
            self.page_size = min(self.largest, self.page_size + max(1, self.page_size // 4))
        self.slowed = felt_s > LIMIT_S
        self._note_strain(small and self.slowed, now)
        return self._rest_s(busy_s) * (4 if self.slowed and small else 1)

    def _note_strain(self, strained: bool, now: float) -> None:
        if not strained:
            self._strained_since = None
        elif self._strained_since is None:
            self._strained_since = now
        elif now - self._strained_since > STRAINED_FOR_S:
            raise Strained(
                f"Others waited more than {LIMIT_S * 1000:g} ms for {STRAINED_FOR_S:g} s, with pages of {SMALLEST_PAGE}.",
                way_out="Go on when the server is less busy.",
            )

    def _rest_s(self, busy_s: float) -> float:
        if self.budget_ratio >= 1:
            return 0.0
        return float(min(LONGEST_REST_S, busy_s * (1 / max(self.budget_ratio, 0.001) - 1)))

    def at_full_speed(self) -> None:
        """No rests, and pages that others may feel: up to the limit, not only to comfort."""
        self.budget_ratio, self.comfort_s = 1.0, LIMIT_S
        self.largest = self.page_size = LARGEST_PAGE_AT_FULL_SPEED

    @property
    def p99_s(self) -> float | None:
        """Of the last 200 pages; None before the first."""
        ordered = sorted(self.felt)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else None


class Pacer(AbstractContextManager["Pacer"]):
    """A pace on one node of a Redis, with the second connection that watches it. Not for sharing between threads.

    Cost on the server: one PING a page.
    """

    def __init__(self, target: Target, *, budget_ratio: float) -> None:
        self.pace = Pace(budget_ratio=budget_ratio)
        self._target = target
        self._watching: AbstractContextManager[RedisNode] | None = None
        self._watch: RedisNode | None = None
        self._felt_s = self._busy_s = 0.0
        self._turns = 0

    @property
    def page_size(self) -> int:
        return self.pace.page_size

    def page(self, node: RedisNode, commands: Sequence[Command]) -> list[Reply | EngineError]:
        """One page over one connection. See `pages`."""
        return self.pages([(node, commands)])[0]

    def pages(self, asked: Sequence[tuple[RedisNode, Sequence[Command]]]) -> list[list[Reply | EngineError]]:
        """A page that is spread over several connections: all is on its way before the first answer is read.

        As node.pipeline for each; the pace learns from it. Errors: those of the nodes.
        """
        begun, ours = time.perf_counter(), time.thread_time()
        for node, commands in asked:
            node.send(commands)
        felt_s = self._feel()
        replies = [node.receive() for node, _ in asked]
        took_s = time.perf_counter() - begun
        self._busy_s += max(felt_s, took_s - (time.thread_time() - ours))  # what we did not work ourselves, we waited
        return replies

    def steps(self, asked: Sequence[tuple[RedisNode, Sequence[Command]]]) -> Steps[list[list[Reply | EngineError]]]:
        """As `pages`, in two steps where there is no rest to reckon: between sending and reading, others may be stepped."""
        if self.rests:
            return self.pages(asked)
        for node, commands in asked:
            node.send(commands)
        yield
        return [node.receive() for node, _ in asked]

    @property
    def rests(self) -> bool:
        return self.pace.budget_ratio < 1

    def _feel(self) -> float:
        sent = time.perf_counter()
        self._watcher().pipeline(PING)
        felt_s = time.perf_counter() - sent
        self._felt_s = max(self._felt_s, felt_s)
        return felt_s

    def rest(self) -> float:
        """Between pages: rests as long as the budget asks for; without rests, feels what others feel now and then.

        Returns the time rested. Errors: Strained.
        """
        self._turns += 1
        if not self.rests:
            if self._turns % FELT_EVERY:
                return 0.0
            self._feel()
        rest_s = self.pace.learn(felt_s=self._felt_s, busy_s=self._busy_s, now=time.monotonic())
        self._felt_s = self._busy_s = 0.0
        if rest_s:
            time.sleep(rest_s)
        return rest_s

    def _watcher(self) -> RedisNode:
        if self._watch is None:
            self._watching = redis_node(self._target, fresh=True)
            self._watch = self._watching.__enter__()
        return self._watch

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watching is not None:
            self._watching.__exit__(kind, error, trace)
            self._watching = self._watch = None
