"""Walks over all keys that match and changes them page by page: kept first, changed only as they were kept, resumable, paced.

A page: WATCH, what is needed to keep it, the archive on disk, MULTI ... EXEC. Where somebody wrote to one of its keys between the
two, EXEC does nothing, and that part is done again in halves. So a key is changed only in the very state in which it was kept,
and a write that came in between is lost by neither side.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias

from apps.engine.connections.redis import Command, RedisNode, Reply
from apps.engine.contracts.action import Moved, Progress
from apps.engine.contracts.archive import Record
from apps.engine.contracts.plan import Ending, Figure, Outcome, exactly, say
from apps.engine.errors import EngineError, OutOfMemory, Unreachable
from apps.engine.pacing import Steps, begun
from apps.engine.target import Address, Target
from apps.keyspace import originals
from apps.keyspace.flow import Flow
from apps.keyspace.lanes import Lanes, Watched, lanes
from apps.keyspace.places import place_of
from apps.keyspace.selecting import STEP, Primary, Selection, chunks, primaries

CHECKPOINT_EVERY_S = 1.0
CLOCK_FOR_S = 10.0
TRIES = 3
SLACK_RATIO = 1.1
SLACK_COUNT = 10
BUSY_WORDS = "kept changing while they were kept"
GONE_WORDS = "gone before the run came to them"


@dataclass(frozen=True, slots=True)
class State:
    """Where the walk stands: a cursor a node, "" for one that is done; and what came of the keys so far."""

    cursors: Mapping[str, str] = field(default_factory=dict)
    run_ids: Mapping[str, str] = field(default_factory=dict)
    changed_count: int = 0
    settled_count: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of a page before it is changed.

    `records` are kept and then changed; `unkept` are changed without an original, because nobody wants one; `skipped` says why of
    the rest. `later` are left for another page: what a page keeps has to fit into memory.
    """

    records: Sequence[Record]
    unkept: Sequence[bytes] = ()
    skipped: Counter[str] = field(default_factory=Counter)
    later: Sequence[bytes] = ()


Ask: TypeAlias = Callable[[Sequence[Command]], Steps[list[Reply | EngineError]]]


class Change(ABC):
    """What is done to a page of keys. `keeps` is False where no original is wanted at all; `place` is where they are just now."""

    verb: ClassVar[str]
    place: str = ""

    def __init__(self, *, keeps: bool) -> None:
        self.keeps = keeps

    @abstractmethod
    def questions(self, names: Sequence[bytes]) -> list[Command]:
        """What has to be known of each key before: blocks of one question for every name."""

    @abstractmethod
    def prepared(
        self, ask: Ask, names: Sequence[bytes], replies: Sequence[Reply | EngineError], *, now_ms: int
    ) -> Steps[Prepared]:
        """From the answers to `questions`: what is kept. May ask once more. Errors: EngineError."""

    @abstractmethod
    def commands(self, records: Sequence[Record], unkept: Sequence[bytes]) -> list[Command]:
        """What changes them. With no records, of keys that nobody asked about, the replies are how many were changed."""

    @abstractmethod
    def as_kept(self, node: RedisNode, records: Sequence[Record]) -> Sequence[bool]:
        """Change those that still are as they were kept, by one script. Errors: EngineError."""

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
        self._settled_before = before.settled_count
        self._done: frozenset[tuple[str, bytes]] = frozenset()
        self.skipped: Counter[str] = Counter(before.skipped)
        self._kept_at = time.monotonic()
        self._clock_ms, self._clock_at = 0, -CLOCK_FOR_S

    @property
    def limit(self) -> int:
        return int(self.most_count * SLACK_RATIO) + SLACK_COUNT

    # -- all nodes, one after the other --------------------------------------------------------------------------------

    def walk(self) -> Outcome:
        """Errors: Stopped, EngineError."""
        nodes = primaries(self.target, db=self.chosen.db)
        self._settle_before(nodes)
        for primary in nodes:
            where = str(primary.address)
            self.change.place = place_of(self.chosen.db, primary.address if len(nodes) > 1 else None)
            if self.run_ids.setdefault(where, primary.run_id) != primary.run_id:
                raise Moved(f"{where} was restarted, or another server took its place.", way_out="Plan the rest again.")
            if self.cursors.get(where) == "":
                continue
            try:
                with self._connected(primary.address) as scanning, self._lanes(primary.address):
                    self._walk_node(scanning, where)
            except Unreachable:
                with suppress(EngineError):  # whether the last page was changed is asked over another connection
                    self._settle(nodes)
                    self.progress.step(self.changed_count)
                raise
        return self._outcome()

    @contextmanager
    def _connected(self, address: Address) -> Iterator[RedisNode]:
        with self.progress.redis(address) as node:
            node.command("SELECT", self.chosen.db)
            yield node

    @contextmanager
    def _lanes(self, address: Address) -> Iterator[None]:
        """A set of connections for each page that is under way."""
        self._flow = Flow(most=1 if self.progress.pacer.rests else 2)
        with ExitStack() as stack:
            made = (lanes(lambda: self._connected(address), self.progress.pacer) for _ in range(2))
            self._free = [stack.enter_context(each) for each in made]
            yield

    def _walk_node(self, scanning: RedisNode, where: str) -> None:
        """Names are gathered until they fill a page, and all are done before the place is kept: none waits in memory only."""
        waiting, cursor = deque[bytes](), ""
        ahead = self._scan(scanning, self.cursors.get(where, "0"))
        while cursor != "0":
            cursor, names = ahead()
            if cursor != "0":
                ahead = self._scan(scanning, cursor)
            waiting.extend(name for name in names if (self.change.place, name) not in self._done)
            due = cursor == "0" or time.monotonic() - self._kept_at >= CHECKPOINT_EVERY_S
            self._pages(waiting, all_of_them=due)
            if due:
                self.cursors[where] = "" if cursor == "0" else cursor
                self._keep_place()

    def _scan(self, node: RedisNode, cursor: str) -> Callable[[], tuple[str, list[bytes]]]:
        """Ask for the next names; called, it gives the next cursor and them. Errors: EngineError."""
        answer = begun(self.progress.pacer.steps([(node, [self.chosen.scan(cursor, self._step)])]))

        def names() -> tuple[str, list[bytes]]:
            ((reply,),) = answer()
            if isinstance(reply, EngineError):
                raise reply
            return self.chosen.names(reply)

        return names

    @property
    def _step(self) -> int:
        """How many keys one SCAN passes: 500, and more only where pages are larger than that."""
        return max(STEP, 2 * self.progress.pacer.page_size)

    def _keep_place(self) -> None:
        self._kept_at = time.monotonic()
        self.progress.step(self.changed_count)
        self.progress.checkpoint(
            State(
                cursors=dict(self.cursors),
                run_ids=dict(self.run_ids),
                changed_count=self.changed_count,
                settled_count=self.progress.archive.settled_count,
                skipped=dict(self.skipped),
            )
        )

    # -- pages ---------------------------------------------------------------------------------------------------------

    def _pages(self, waiting: deque[bytes], *, all_of_them: bool) -> None:
        self.progress.pacer.rest()
        while self._is_enough(waiting, all_of_them=all_of_them):
            size = min(len(waiting), self.progress.pacer.page_size)
            self._flow.add(self._begun([waiting.popleft() for _ in range(size)], waiting))
            if self.progress.pacer.rests:
                self._flow.drain()
            self.progress.pacer.rest()

    def _is_enough(self, waiting: deque[bytes], *, all_of_them: bool) -> bool:
        """What a page leaves for another waits again: it is not over before every page is done and nothing waits."""
        if all_of_them and not waiting:
            self._flow.drain()
        return len(waiting) >= (1 if all_of_them else self.progress.pacer.page_size)

    def _begun(self, names: Sequence[bytes], waiting: deque[bytes]) -> Steps[None]:
        some = self._free.pop()
        left = yield from self._page(some, names, tries=TRIES)
        waiting.extendleft(reversed(left))
        self._free.append(some)

    def _page(self, some: Lanes, names: Sequence[bytes], *, tries: int) -> Steps[Sequence[bytes]]:
        """Returns those that are left for another page."""
        if self.change.keeps:
            return (yield from self._kept_and_changed(some, names, tries))
        self._without_originals(some.first, names)
        return ()

    def _check(self, count: int) -> None:
        """Before so many more are changed. Errors: Stopped."""
        if self.changed_count + count > self.limit:
            raise Moved(
                f"More keys match than the plan allows: it counted {self.most_count:,}.", way_out="Plan the rest again."
            )
        self.progress.check()

    def _without_originals(self, node: RedisNode, names: Sequence[bytes]) -> None:
        self._check(len(names))
        changed = 0
        for reply in self.progress.pacer.page(node, self.change.commands((), names)):
            if isinstance(reply, EngineError):
                raise reply
            changed += int(reply)
        self._count(changed, Counter({GONE_WORDS: len(names) - changed}))

    def _kept_and_changed(self, some: Lanes, names: Sequence[bytes], tries: int) -> Steps[Sequence[bytes]]:
        watched = yield from some.watch(names, self.change.questions)
        now_ms = self._server_ms(some.first)
        ready = yield from self.change.prepared(some.ask, names, watched.replies, now_ms=now_ms)
        if not ready.records and not ready.unkept:
            yield from some.let_go(watched)
            self._count(0, ready.skipped)
            return ready.later
        yield from self._flow.alone()
        self._check(len(ready.records) + len(ready.unkept))
        page = self.progress.archive.append(ready.records) if ready.records else None
        self.progress.check()
        touched, refused = yield from self._changed(some, watched, ready)
        if page is not None:
            self.progress.archive.settle(page, _indexes(ready.records, touched))
        self._flow.next_may()
        self._count(len(touched), ready.skipped)
        if refused is not None:
            raise refused
        wanted = [*(record.name for record in ready.records), *ready.unkept]
        again = [name for name in wanted if name not in touched]
        return [*ready.later, *((yield from self._again(some, again, tries)) if again else ())]

    def _changed(self, some: Lanes, watched: Watched, ready: Prepared) -> Steps[tuple[set[bytes], EngineError | None]]:
        """Names that were changed, and what the server refused."""
        touched: set[bytes] = set()
        refused: EngineError | None = None
        parts = _parted(watched, ready)
        answers = yield from some.change(watched, [self.change.commands(*part) for part in parts])
        for (node, _), (records, unkept), done in zip(watched.parts, parts, answers, strict=True):
            try:
                if isinstance(done, OutOfMemory):
                    touched |= self._without_memory(node, records, unkept)
                elif isinstance(done, EngineError):
                    raise done
                elif done:
                    touched.update((record.name for record in records), unkept)
            except Unreachable:
                raise
            except EngineError as error:
                refused = refused or error
        return touched, refused

    def _without_memory(self, node: RedisNode, records: Sequence[Record], unkept: Sequence[bytes]) -> set[bytes]:
        """A server at its maxmemory refuses transactions, just when keys should go: a script compares and changes instead."""
        touched: set[bytes] = set()
        if records:
            changed = self.change.as_kept(node, records)
            touched.update(record.name for record, ok in zip(records, changed, strict=True) if ok)
        if unkept:
            node.replies(self.change.commands((), unkept))
            touched.update(unkept)
        return touched

    def _again(self, some: Lanes, names: Sequence[bytes], tries: int) -> Steps[Sequence[bytes]]:
        """In halves, so that one busy key does not hold up the others; one alone three times, then it is left."""
        if len(names) == 1:
            if tries > 1:
                return (yield from self._page(some, names, tries=tries - 1))
            self._count(0, Counter({BUSY_WORDS: 1}))
            return ()
        left: list[bytes] = []
        for half in chunks(names, (len(names) + 1) // 2):
            left += yield from self._page(some, half, tries=tries)
        return left

    def _count(self, changed: int, skipped: Counter[str]) -> None:
        self.changed_count += changed
        self.skipped += skipped
        self.progress.step(self.changed_count)

    # -- what an earlier try, or a broken connection, left open --------------------------------------------------------

    def _settle_before(self, nodes: Sequence[Primary]) -> None:
        """What the try before did after its last checkpoint counts, and is not done twice: SCAN shows it once more."""
        self._settle(nodes)
        since = self.progress.archive.settled(self._settled_before)
        self._done = frozenset((record.place, record.name) for record in since)
        self.changed_count += len(self._done)

    def _settle(self, nodes: Sequence[Primary]) -> None:
        """The last page that was kept and never settled: its node says what became of it."""
        page = self.progress.archive.unsettled()
        if page is None:
            return
        place = page[1][0].place
        primary = next((node for node in nodes if place.endswith(f"@{node.address}")), nodes[0])
        with self._connected(primary.address) as node:
            self.progress.archive.settle(page[0], self.change.is_changed(node, page[1]))

    def _server_ms(self, node: RedisNode) -> int:
        """The server's clock, asked for once in ten seconds; ours runs on meanwhile."""
        now = time.monotonic()
        if now - self._clock_at >= CLOCK_FOR_S:
            self._clock_ms, self._clock_at = originals.server_ms(node), now
        return int(self._clock_ms + (now - self._clock_at) * 1000)

    def _outcome(self) -> Outcome:
        verb = self.change.verb
        planned = say(f"of {self.most_count:,} planned")
        figures = [Figure(label=verb, amount=exactly(self.changed_count, "keys"), note=planned)]
        figures += [
            Figure(label="Skipped", amount=exactly(number, "keys"), note=say(why))
            for why, number in self.skipped.items()
            if number
        ]
        figures.append(Figure(label="Failed", amount=exactly(0, "keys"), note=say("no error from the server")))
        return Outcome(ending=Ending.DONE, said=say(f"{verb} {self.changed_count:,} keys."), figures=tuple(figures))


def _parted(watched: Watched, ready: Prepared) -> list[tuple[list[Record], list[bytes]]]:
    """What is kept and what is not, by the connection that watches it."""
    lane = {name: index for index, (_, names) in enumerate(watched.parts) for name in names}
    parts: list[tuple[list[Record], list[bytes]]] = [([], []) for _ in watched.parts]
    for record in ready.records:
        parts[lane[record.name]][0].append(record)
    for name in ready.unkept:
        parts[lane[name]][1].append(name)
    return parts


def _indexes(records: Sequence[Record], touched: set[bytes]) -> list[int] | None:
    """None for all of them."""
    if len(touched) == len(records):
        return None
    return [index for index, record in enumerate(records) if record.name in touched]
