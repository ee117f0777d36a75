"""Adapters whose questions are lines, so that all frameworks of a database are looked for and counted in the same round trips."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.adapter import Adapter, Found, Marks, Queue, Snapshot
from apps.queues import reads
from apps.queues.asking import Asking, asked


class SteppingAdapter(Adapter[RedisNode]):
    """An adapter of a Redis: what it asks may share its round trips with what others ask."""

    @abstractmethod
    def finding(self, *, database: str, marks: Marks) -> Asking[tuple[Found, ...]]:
        """`detect` as a line of questions."""

    @abstractmethod
    def naming(self, found: Found) -> Asking[tuple[Queue, ...]]:
        """`queues` as a line of questions."""

    @abstractmethod
    def counting(self, queues: Sequence[Queue], *, now: float) -> Asking[list[Snapshot]]:
        """`snapshots` as a line of questions; `now` by the server's clock, in seconds since 1970."""

    def detect(self, node: RedisNode, *, database: str, marks: Marks) -> tuple[Found, ...]:
        return asked(node, self.finding(database=database, marks=marks))

    def queues(self, node: RedisNode, found: Found) -> tuple[Queue, ...]:
        return asked(node, self.naming(found))

    def snapshots(self, node: RedisNode, queues: Sequence[Queue]) -> list[Snapshot]:
        return asked(node, self.counting(queues, now=reads.now_at(node)))
