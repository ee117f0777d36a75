"""The look before an action by pattern: every key is passed once, what matches is counted, and a sample is described with bounds."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from apps.engine.connections.redis import RedisNode, Reply, redis_node
from apps.engine.contracts.action import Planning
from apps.engine.contracts.plan import Amount, Cell, Fact, Table, about, exactly, say, unknown
from apps.engine.errors import EngineError
from apps.engine.pacing import Pacer
from apps.engine.target import Target
from apps.keyspace.originals import LARGE_BYTES
from apps.keyspace.selecting import STEP, Primary, Selection, chunks

SAMPLED = 2000
SHOWN = 20
A_TRIP = 50
DAY_S = 86_400
Z_95 = 1.959964
# Names that queue frameworks give: keys among them are more than data.
FRAMEWORKS = {
    b"rq:": "RQ",
    b"_kombu.": "Celery",
    b"unacked": "Celery",
    b"celery-task-meta-": "Celery results",
    b"bull:": "BullMQ",
    b"dramatiq:": "Dramatiq",
    b"arq:": "Arq",
    b"huey.": "Huey",
    b"queue:": "Sidekiq",
    b"spring:session:": "sessions",
    b"session:": "sessions",
    b"lock:": "locks",
}


@dataclass(slots=True)
class Counted:
    """What the pass found. `sample` is drawn evenly from all that match, however many there are."""

    matched_count: int = 0
    looked_count: int = 0
    sample: list[tuple[Primary, bytes]] = field(default_factory=list)
    frameworks: Counter[str] = field(default_factory=Counter)

    def take(self, primary: Primary, names: Iterable[bytes]) -> None:
        for name in names:
            self.matched_count += 1
            place = self.matched_count - 1 if self.matched_count <= SAMPLED else random.randrange(self.matched_count)  # noqa: S311
            if place < len(self.sample):
                self.sample[place] = (primary, name)
            elif len(self.sample) < SAMPLED:
                self.sample.append((primary, name))
            for prefix, title in FRAMEWORKS.items():
                if name.startswith(prefix):
                    self.frameworks[title] += 1
                    break


def count(
    target: Target, chosen: Selection, *, nodes: Sequence[Primary], planning: Planning, budget_ratio: float
) -> Counted:
    """Pass over every key of the nodes once.

    Cost: SCAN of all keys, 500 a call, at the load budget; in a page for a second, then in the background. Errors: EngineError.
    """
    counted = Counted()
    total_count = sum(node.keys_count for node in nodes)
    for primary in nodes:
        place = replace(target, database=str(chosen.db)).at(primary.address)
        with redis_node(place, fresh=True) as node, Pacer(place, budget_ratio=budget_ratio) as pacer:
            _pass(node, pacer, chosen, primary, counted, planning, total_count)
    return counted


def _pass(
    node: RedisNode,
    pacer: Pacer,
    chosen: Selection,
    primary: Primary,
    counted: Counted,
    planning: Planning,
    total_count: int,
) -> None:
    cursor = "0"
    while True:
        (reply,) = pacer.page(node, [chosen.scan(cursor, STEP)])
        if isinstance(reply, EngineError):
            raise reply
        cursor, names = chosen.names(reply)
        counted.looked_count += STEP
        counted.take(primary, names)
        if cursor == "0":
            counted.looked_count = min(counted.looked_count, total_count)
            return
        planning.check(min(counted.looked_count, total_count), total_count, f"{counted.matched_count:,} match so far")
        pacer.rest()


# -- the sample --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One key of the sample. None where it is gone by now, or was not told."""

    name: bytes
    key_type: str
    ttl_ms: int
    memory_bytes: int | None
    idle_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The sample, and how many it stands for."""

    drawn: tuple[Drawn, ...]
    matched_count: int

    @property
    def large(self) -> tuple[Drawn, ...]:
        return tuple(each for each in self.drawn if (each.memory_bytes or 0) > LARGE_BYTES)

    @property
    def memory(self) -> Amount:
        """Of all that match: exact where all were asked, else with its 95 % bound. Keys that are far larger than all seen are not in it."""
        sizes = [each.memory_bytes for each in self.drawn if each.memory_bytes is not None]
        if not sizes:
            return unknown("MEMORY USAGE is not allowed.", "B")
        total = sum(sizes)
        if len(sizes) >= self.matched_count:
            return exactly(total, "B")
        mean = total / len(sizes)
        spread = math.sqrt(sum((size - mean) ** 2 for size in sizes) / max(len(sizes) - 1, 1))
        half = Z_95 * spread / math.sqrt(len(sizes)) * self.matched_count
        middle = mean * self.matched_count
        return about(middle, max(middle - half, 0.0), middle + half, "B")

    def share(self, fits: Sequence[bool]) -> str:
        """A share of the sample in words: all, none, or per cent with Wilson's bound."""
        hits, seen = sum(fits), len(fits)
        if not seen:
            return "unknown"
        if seen >= self.matched_count or hits in (0, seen):
            return "all" if hits == seen else "none" if not hits else f"{hits / seen:.1%}"
        middle = (hits / seen + Z_95**2 / (2 * seen)) / (1 + Z_95**2 / seen)
        half = Z_95 / (1 + Z_95**2 / seen) * math.sqrt(hits / seen * (1 - hits / seen) / seen + Z_95**2 / (4 * seen**2))
        return f"{hits / seen:.1%} (95 %: {max(0, middle - half):.1%} to {min(1, middle + half):.1%})"


def describe(target: Target, counted: Counted, *, db: int) -> Described:
    """Ask what the sampled keys are. Cost: four commands a key of at most 2,000, 50 keys a round trip. Errors: EngineError."""
    drawn: list[Drawn] = []
    by_node: dict[Primary, list[bytes]] = {}
    for primary, name in counted.sample:
        by_node.setdefault(primary, []).append(name)
    for primary, names in by_node.items():
        with redis_node(replace(target, database=str(db)), address=primary.address) as node:
            for few in chunks(names, A_TRIP):
                drawn += _asked(node, few)
    return Described(drawn=tuple(drawn), matched_count=counted.matched_count)


def _asked(node: RedisNode, names: Sequence[bytes]) -> list[Drawn]:
    questions = [
        command
        for name in names
        for command in (
            ("TYPE", name),
            ("PTTL", name),
            ("MEMORY", "USAGE", name, "SAMPLES", 5),
            ("OBJECT", "IDLETIME", name),
        )
    ]
    replies = node.pipeline(questions)
    return [_drawn(name, replies[i * 4 : i * 4 + 4]) for i, name in enumerate(names) if replies[i * 4] != b"none"]


def _drawn(name: bytes, replies: Sequence[Reply | EngineError]) -> Drawn:
    held, ttl, memory, idle = (None if isinstance(reply, EngineError) else reply for reply in replies)
    return Drawn(
        name=name,
        key_type=held.decode("ascii", "replace") if held else "",
        ttl_ms=ttl if isinstance(ttl, int) else -1,
        memory_bytes=memory,
        idle_s=idle,
    )


def facts_of(described: Described, counted: Counted) -> tuple[Fact, ...]:
    """What the keys are, and what they are not."""
    drawn = described.drawn
    types = Counter(each.key_type for each in drawn)
    what = ", ".join(
        f"{described.share([d.key_type == key_type for d in drawn])} {key_type}" for key_type, _ in types.most_common(6)
    )
    facts = [
        Fact(label="What they are", words=say(what or "unknown")),
        Fact(label="Without expiry", words=say(described.share([each.ttl_ms == -1 for each in drawn]))),
    ]
    told = [each.idle_s < DAY_S for each in drawn if each.idle_s is not None]
    if told:
        warn = "warn" if any(told) else ""
        facts.append(Fact(label="Touched in 24 h", words=say(described.share(told)), signal=warn))
    if counted.frameworks:
        named = ", ".join(f"{number:,} of {title}" for title, number in counted.frameworks.most_common(5))
        facts.append(Fact(label="Among them", words=say(named), signal="warn"))
    else:
        facts.append(Fact(label="Not among them", words=say("keys named like those of queues, sessions or locks")))
    if biggest := max(drawn, key=lambda each: each.memory_bytes or 0, default=None):
        size = f", {biggest.memory_bytes:,} B; larger ones may be unseen" if biggest.memory_bytes else ""
        facts.append(Fact(label="Biggest seen", words=say(biggest.name, size)))
    return tuple(facts)


def sample_of(described: Described) -> Table:
    """Twenty of the sample, evenly drawn."""
    shown = random.sample(described.drawn, min(SHOWN, len(described.drawn)))
    rows = tuple(
        (
            Cell(name=each.name),
            Cell(text=each.key_type),
            Cell(amount=exactly(each.memory_bytes, "B") if each.memory_bytes is not None else unknown("Not told.")),
            Cell(amount=exactly(each.idle_s, "s") if each.idle_s is not None else unknown("The policy counts uses.")),
        )
        for each in sorted(shown, key=lambda each: each.name)
    )
    drawn = (
        f"{len(shown)} of {described.matched_count:,}, evenly drawn"
        if described.matched_count > SHOWN
        else "all of them"
    )
    return Table(columns=("Key", "Type", "Memory", "Untouched for"), rows=rows, said=drawn)
