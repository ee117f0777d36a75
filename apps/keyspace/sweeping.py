"""Walks over all keys that match and changes them page by page: kept first, changed only as they were kept, resumable, paced.

A page: WATCH, what is needed to keep it, the archive on disk, MULTI ... EXEC. Where somebody wrote to one of its keys between the
two, EXEC does nothing, and the page is done again in halves. So a key is changed only in the very state in which it was kept,
and a write that came in between is lost by neither side.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias

from apps.engine.connections.redis import Command, RedisNode, Reply
from apps.engine.contracts.action import Moved, Progress
from apps.engine.contracts.archive import Record
from apps.engine.contracts.plan import Ending, Figure, Outcome, exactly, say
from apps.engine.errors import EngineError, Unreachable
from apps.engine.target import Address, Target
from apps.keyspace import originals
from apps.keyspace.selecting import STEP, Selection, chunks, primaries

CHECKPOINT_EVERY_S = 1.0
TRIES = 3
SLACK_RATIO = 1.1
SLACK_COUNT = 10


@dataclass(frozen=True, slots=True)
class State:
    """Where the walk stands: a cursor a node, "" for one that is done; and what came of the keys so far."""

    cursors: Mapping[str, str] = field(default_factory=dict)
    run_ids: Mapping[str, str] = field(default_factory=dict)
    changed_count: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of a page before it is changed: the records to keep, what to send, and why the rest is skipped.

    `changing_count` keys are changed by `commands`; those with no record are large ones that nobody wants kept.
    """

    records: Sequence[Record]
    commands: Sequence[Command]
    changing_count: int
    skipped: Counter[str]


Ask: TypeAlias = Callable[[Sequence[Command]], list[Reply | EngineError]]


class Change(ABC):
    """What is done to a page of keys. `keeps` is False where no original is wanted."""

    verb: ClassVar[str]

    def __init__(self, *, keeps: bool, place: str) -> None:
        self.keeps, self.place = keeps, place

    @abstractmethod
    def questions(self, names: Sequence[bytes]) -> list[Command]:
        """What has to be known of each key before."""

    @abstractmethod
    def prepared(
        self, ask: Ask, names: Sequence[bytes], replies: Sequence[Reply | EngineError], *, now_ms: int
    ) -> Prepared:
        """From the answers to `questions`: what is kept and what is sent. May ask once more. Errors: EngineError."""

    @abstractmethod
    def unkept(self, names: Sequence[bytes]) -> list[Command]:
        """What is sent where nothing is kept."""

    @abstractmethod
    def is_changed(self, node: RedisNode, records: Sequence[Record]) -> list[int]:
        """Of a page that an earlier try kept and never settled: which of them it did change."""


class Sweep:
    """One try of one run. `most_count` is the plan's: more than that and a tenth are never touched."""

    def __init__(self, target: Target, chosen: Selection, change: Change, progress: Progress, most_count: int) -> None:
        self.target = replace(target, database=str(chosen.db))
        self.chosen, self.change, self.progress = chosen, change, progress
        self.most_count = most_count
        before = progress.resumed(State) or State()
        self.cursors = dict(before.cursors)
        self.run_ids = dict(before.run_ids)
        self.changed_count = before.changed_count
        self.skipped: Counter[str] = Counter(before.skipped)
        self._kept_at = time.monotonic()
        self._now_ms = self._now_at = 0.0

    @property
    def limit(self) -> int:
        return int(self.most_count * SLACK_RATIO) + SLACK_COUNT

    def walk(self) -> Outcome:
        """All nodes, one after the other. Errors: Stopped, EngineError."""
        for primary in primaries(self.target, db=self.chosen.db):
            where = str(primary.address)
            if self.run_ids.setdefault(where, primary.run_id) != primary.run_id:
                raise Moved(f"{where} was restarted, or another server took its place.", way_out="Plan the rest again.")
            if self.cursors.get(where) == "":
                continue
            try:
                with self._connected(primary.address) as node:
                    self._settle_before(node)
                    self._walk_node(node, where)
            except Unreachable:
                self._settle_after(primary.address)
                raise
        return self._outcome()

    @contextmanager
    def _connected(self, address: Address) -> Iterator[RedisNode]:
        with self.progress.redis(address) as node:
            node.command("SELECT", self.chosen.db)
            yield node

    def _settle_after(self, address: Address) -> None:
        """The connection broke: whether the last page was changed is asked over another one, if the server still answers."""
        with suppress(EngineError), self._connected(address) as node:
            self._settle_before(node)
            self.progress.step(self.changed_count)

    def _walk_node(self, node: RedisNode, where: str) -> None:
        cursor = self.cursors.get(where, "0")
        begun = False
        while cursor != "0" or not begun:
            begun = True
            (reply,) = self.progress.pacer.page(node, [self.chosen.scan(cursor, STEP)])
            if isinstance(reply, EngineError):
                raise reply
            cursor, names = self.chosen.names(reply)
            self._pages(node, names)
            self.cursors[where] = "" if cursor == "0" else cursor
            self._keep_place(force=cursor == "0")

    def _pages(self, node: RedisNode, names: Sequence[bytes]) -> None:
        at = 0
        while at < len(names):
            size = self.progress.pacer.page_size
            self._page(node, names[at : at + size], tries=TRIES)
            at += size
            self.progress.pacer.rest()
        if not names:
            self.progress.pacer.rest()

    def _page(self, node: RedisNode, names: Sequence[bytes], *, tries: int) -> None:
        if self.changed_count + len(names) > self.limit:
            raise Moved(
                f"More keys match than the plan allows: it counted {self.most_count:,}.", way_out="Plan the rest again."
            )
        if not self.change.keeps:
            self._without_originals(node, names)
        elif not self._kept_and_changed(node, names):
            self._again(node, names, tries)

    def _without_originals(self, node: RedisNode, names: Sequence[bytes]) -> None:
        self.progress.check()
        replies = self.progress.pacer.page(node, self.change.unkept(names))
        changed = 0
        for reply in replies:
            if isinstance(reply, EngineError):
                raise reply
            changed += int(reply)
        self.changed_count += changed
        self.skipped["gone before the run came to them"] += len(names) - changed
        self.progress.step(self.changed_count)

    def _kept_and_changed(self, node: RedisNode, names: Sequence[bytes]) -> bool:
        """False when somebody wrote to one of them in between: nothing was changed then."""
        replies = self.progress.pacer.page(node, [("WATCH", *names), *self.change.questions(names)])
        if isinstance(replies[0], EngineError):
            raise replies[0]
        now_ms = self._server_ms(node)
        ready = self.change.prepared(
            lambda more: self.progress.pacer.page(node, more), names, replies[1:], now_ms=now_ms
        )
        if not ready.commands:
            node.command("UNWATCH")
            self.skipped += ready.skipped
            return True
        page = self.progress.archive.append(ready.records) if ready.records else None
        self.progress.check()
        done = self.progress.pacer.page(node, [("MULTI",), *ready.commands, ("EXEC",)])
        if isinstance(done[-1], EngineError):
            raise next(reply for reply in done if isinstance(reply, EngineError))
        if page is not None:
            self.progress.archive.settle(page, None if done[-1] is not None else ())
        if done[-1] is None:
            return False
        self.changed_count += ready.changing_count
        self.skipped += ready.skipped
        self.progress.step(self.changed_count)
        return True

    def _again(self, node: RedisNode, names: Sequence[bytes], tries: int) -> None:
        """In halves, so that one busy key does not hold up the others; one alone three times, then it is left."""
        if len(names) > 1:
            for half in chunks(names, (len(names) + 1) // 2):
                self._page(node, half, tries=tries)
        elif tries > 1:
            self._page(node, names, tries=tries - 1)
        else:
            self.skipped["kept changing while they were kept"] += 1

    def _settle_before(self, node: RedisNode) -> None:
        """What the try before kept and never settled: the server says what became of it."""
        page = self.progress.archive.unsettled()
        if page is None or page[1][0].place != self.change.place:
            return
        changed = self.change.is_changed(node, page[1])
        self.progress.archive.settle(page[0], changed)
        self.changed_count += len(changed)

    def _server_ms(self, node: RedisNode) -> int:
        """The server's clock, asked for once in ten seconds; ours runs on meanwhile."""
        now = time.monotonic()
        if not self._now_at or now - self._now_at > 10:
            self._now_ms, self._now_at = originals.server_ms(node), now
        return int(self._now_ms + (now - self._now_at) * 1000)

    def _keep_place(self, *, force: bool) -> None:
        now = time.monotonic()
        if force or now - self._kept_at >= CHECKPOINT_EVERY_S:
            self._kept_at = now
            self.progress.step(self.changed_count)
            self.progress.checkpoint(
                State(
                    cursors=dict(self.cursors),
                    run_ids=dict(self.run_ids),
                    changed_count=self.changed_count,
                    skipped=dict(self.skipped),
                )
            )

    def _outcome(self) -> Outcome:
        figures = [
            Figure(
                label=f"{self.change.verb}",
                amount=exactly(self.changed_count, "keys"),
                note=say(f"of {self.most_count:,} planned"),
            )
        ]
        figures += [
            Figure(label="Skipped", amount=exactly(number, "keys"), note=say(why))
            for why, number in self.skipped.items()
            if number
        ]
        figures.append(Figure(label="Failed", amount=exactly(0, "keys"), note=say("no error from the server")))
        return Outcome(
            ending=Ending.DONE, said=say(f"{self.change.verb} {self.changed_count:,} keys."), figures=tuple(figures)
        )
