"""Several connections to one node that share a page: each watches a part of its keys, and all are kept by one sync of the disk.

The server goes through the list of all keys that a connection watches for every further one: five hundred cost 8 µs each,
fifty 1. So a page of five hundred is watched by ten connections.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from apps.engine.connections.redis import Command, RedisNode, Reply
from apps.engine.errors import EngineError
from apps.engine.pacing import Pacer, Steps
from apps.keyspace.originals import PART
from apps.keyspace.selecting import chunks


class Connect(Protocol):
    def __call__(self) -> AbstractContextManager[RedisNode]: ...


@dataclass(frozen=True, slots=True)
class Watched:
    """A page under watch: which connection has which names, and the answers to the questions in the order of the names."""

    parts: Sequence[tuple[RedisNode, Sequence[bytes]]]
    replies: Sequence[Reply | EngineError]


class Lanes:
    """Made by `lanes`. Not for sharing between threads."""

    def __init__(self, first: RedisNode, connect: Connect, pacer: Pacer, stack: ExitStack) -> None:
        self.first = first
        self._nodes = [first]
        self._connect, self._pacer, self._stack = connect, pacer, stack

    def _take(self, count: int) -> Sequence[RedisNode]:
        while len(self._nodes) < count:
            self._nodes.append(self._stack.enter_context(self._connect()))
        return self._nodes[:count]

    def watch(self, names: Sequence[bytes], questions: Questions) -> Steps[Watched]:
        """WATCH every name, and ask. Errors: EngineError of the first WATCH that was refused."""
        parts = list(chunks(names, PART))
        nodes = self._take(len(parts))
        asked: list[tuple[RedisNode, list[Command]]] = [
            (node, [("WATCH", *part), *questions(part)]) for node, part in zip(nodes, parts, strict=True)
        ]
        replies = yield from self._pacer.steps(asked)
        for each in replies:
            if isinstance(each[0], EngineError):
                raise each[0]
        return Watched(
            parts=list(zip(nodes, parts, strict=True)), replies=_in_blocks([each[1:] for each in replies], parts)
        )

    def ask(self, commands: Sequence[Command]) -> Steps[list[Reply | EngineError]]:
        """Many questions, shared out: the server answers one connection while the answers of another are read."""
        parts = list(chunks(commands, PART))
        nodes = self._take(len(parts))
        replies = yield from self._pacer.steps(list(zip(nodes, parts, strict=True)))
        return [reply for part in replies for reply in part]

    def change(self, watched: Watched, commands: Sequence[Sequence[Command]]) -> Steps[list[bool | EngineError]]:
        """MULTI, the commands of each part, EXEC. False for a part in which somebody wrote in between: nothing was done there.

        What the server refused is that part's EngineError; the others stand.
        """
        asked = [
            (node, [("MULTI",), *some, ("EXEC",)] if some else [("UNWATCH",)])
            for (node, _), some in zip(watched.parts, commands, strict=True)
        ]
        answers = yield from self._pacer.steps(asked)
        return [_is_done(replies) for replies in answers]

    def let_go(self, watched: Watched) -> Steps[None]:
        yield from self._pacer.steps([(node, [("UNWATCH",)]) for node, _ in watched.parts])


class Questions(Protocol):
    def __call__(self, names: Sequence[bytes], /) -> list[Command]: ...


def _in_blocks(replies: Sequence[Sequence[Reply]], parts: Sequence[Sequence[bytes]]) -> list[Reply | EngineError]:
    """Each part answered block by block (all sizes, then all expiries): put together so that a block is of all names."""
    blocks = len(replies[0]) // len(parts[0])
    return [
        reply
        for block in range(blocks)
        for each, part in zip(replies, parts, strict=True)
        for reply in each[block * len(part) : (block + 1) * len(part)]
    ]


def _is_done(replies: Sequence[Reply | EngineError]) -> bool | EngineError:
    done = replies[-1]
    if isinstance(done, EngineError):
        return next(reply for reply in replies if isinstance(reply, EngineError))
    if isinstance(done, list) and (failed := next((r for r in done if isinstance(r, EngineError)), None)):
        return failed
    return done is not None


@contextmanager
def lanes(connect: Connect, pacer: Pacer) -> Iterator[Lanes]:
    """Connections are made as pages need them. Errors: those of `connect`."""
    with ExitStack() as stack:
        yield Lanes(stack.enter_context(connect()), connect, pacer, stack)
