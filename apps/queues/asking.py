"""Lines of questions side by side: each asks on when its answers are there, and one round trip carries the next of all."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeAlias, TypeVar

from apps.engine.connections.redis import Command, RedisNode
from apps.engine.errors import EngineError, TimedOut

Result = TypeVar("Result")
# Yields commands, is sent one reply or EngineError a command, and returns what it learnt.
Asking: TypeAlias = Generator[Sequence[Command], list[Any], Result]


class Line(Generic[Result]):
    """One line of questions. `commands` are those that wait to be sent; `result` is there once none do."""

    result: Result

    def __init__(self, asking: Asking[Result]) -> None:
        self._asking = asking
        self.commands: Sequence[Command] = ()
        self._go_on(None)

    def take(self, replies: Iterator[Any]) -> None:
        """Errors: what the line makes of a refused command."""
        self._go_on(list(islice(replies, len(self.commands))))

    def _go_on(self, answers: Any) -> None:
        """To the next questions; those that are none need no trip."""
        try:
            self.commands = self._asking.send(answers)
            while not self.commands:
                self.commands = self._asking.send([])
        except StopIteration as end:
            self.commands, self.result = (), end.value


def in_step(node: RedisNode, *lines: Line[Any], until_s: float = math.inf) -> None:
    """Ask until every line has its result. Cost: as many round trips as the longest line.

    Errors: those of the lines; TimedOut before a trip that would begin after `until_s` of the monotonic clock.
    """
    while going := [line for line in lines if line.commands]:
        if time.monotonic() > until_s:
            raise TimedOut(f"{node.address} answers too slowly to be asked on.")
        replies = iter(node.pipeline([command for line in going for command in line.commands]))
        for line in going:
            line.take(replies)


def beside(*askings: Asking[Any]) -> Asking[list[Any]]:
    """Several lines as one line, whose results come in their order. Errors: those of the lines."""
    lines = [Line(asking) for asking in askings]
    while going := [line for line in lines if line.commands]:
        replies = iter((yield [command for line in going for command in line.commands]))
        for line in going:
            line.take(replies)
    return [line.result for line in lines]


def asked(node: RedisNode, asking: Asking[Result]) -> Result:
    """One line alone."""
    line = Line(asking)
    in_step(node, line)
    return line.result


def unrefused(replies: list[Any]) -> list[Any]:
    """Errors: the EngineError of the first that was refused."""
    error = next((reply for reply in replies if isinstance(reply, EngineError)), None)
    if error:
        raise error
    return replies
