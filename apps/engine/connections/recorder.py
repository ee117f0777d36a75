"""What a run sent: how often each shape of command and how long it took, and of the last ones a hundred word for word, secrets masked."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

MOST_SHAPES = 60
MOST_LAST = 100
SHOWN_EVERY_S = 0.05  # of a shape that comes in thousands a second, not every one is put into words


@dataclass(slots=True)
class Sent:
    """Commands of one shape. The times are those of the round trips that carried them, shared out."""

    count: int = 0
    total_s: float = 0.0
    slowest_s: float = 0.0
    shown_at: float = 0.0


@dataclass(slots=True)
class Recorder:
    """`shape` and `shown` put a command into words that may be shown. Not for sharing between threads."""

    shape: Callable[[Any], str]
    shown: Callable[[Any], str]
    shapes: dict[str, Sent] = field(default_factory=dict)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_LAST))

    def note(self, commands: Sequence[Any], took_s: float) -> None:
        """Commands of one round trip; runs of one verb count as the first of them. Cost: some microseconds a run."""
        at = 0
        for _, run in groupby(map(itemgetter(0), commands)):
            count = len(list(run))
            self.note_many(commands[at], count, took_s * count / len(commands))
            at += count

    def note_many(self, example: Any, count: int, took_s: float) -> None:
        """`count` commands of the shape of `example`; of the last hundred only the example is kept."""
        words = self.shape(example)
        if words not in self.shapes and len(self.shapes) >= MOST_SHAPES:
            words = "others"
        sent = self.shapes.setdefault(words, Sent())
        sent.count += count
        sent.total_s += took_s
        sent.slowest_s = max(sent.slowest_s, took_s / max(count, 1))
        now = time.monotonic()
        if sent.count <= MOST_LAST or now - sent.shown_at > SHOWN_EVERY_S:
            sent.shown_at = now
            self.last.append(self.shown(example))
