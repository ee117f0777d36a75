"""Trim a stream to what every one of its groups has acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from apps.engine import scripting
from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Action, Planning, Progress, Tier
from apps.engine.contracts.adapter import Count, Known
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import (
    Amount,
    Cell,
    Check,
    Ending,
    Fact,
    Figure,
    Outcome,
    Plan,
    Sentence,
    Table,
    at_least,
    exactly,
    say,
    unknown,
)
from apps.engine.replication import primary
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.queues import stream_entries, stream_frontier, stream_trimming
from apps.queues.stream_beside import IntoAnotherStream
from apps.queues.stream_entries import Counted
from apps.queues.stream_frontier import Standing
from apps.queues.stream_groups import id_time, order
from apps.queues.stream_trimming import TRIM, Done

NAMED = 3
GROUPS_SHOWN = 20
NOTHING = b"0-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    stream: bytes = param("Stream", fixed=True)
    db: int = param("Database", fixed=True, default=0, least=0, most=65_535)


class TrimStream(Action[Params]):
    key = "queues.trim_stream"
    title = "Trim a stream to what was acknowledged"
    verb = "Trim"
    icon = "arrow-down"
    kind = Kind.REDIS
    tier = Tier.T4
    permission = "streams.trim"
    feature = "streams.trim"
    params = Params
    undo = IntoAnotherStream()
    never = "An entry that any group has not read or not acknowledged; the groups; any other key."
    deadline_s = 3600.0
    exclusive = True
    resumable = True

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one stream. Units: entries, bytes of ids, names and values.

        Cost: one question or two a group, and XRANGE of everything that would go, about 2 MB at once, at most 256 MiB.
        Errors: Unsupported before 6.2, on a replica, above 500 groups; Refused without a group; Gone.
        Source: XINFO GROUPS, XINFO CONSUMERS, XPENDING, XRANGE, XLEN.
        """
        with redis_node(replace(target, database=str(params.db))) as node:
            primary(node)
            stream_frontier.check_version(node)
            stream_frontier.exists(node, params.stream)
            groups = stream_frontier.standings(node, params.stream)
            goes = _counted(node, params.stream, end=stream_frontier.frontier(groups), planning=planning)
            length = stream_frontier.exists(node, params.stream)
            lags = stream_frontier.unread(node, params.stream, groups)
            first = stream_frontier.first_entry(node, params.stream)
            held = [
                stream_frontier.why_held(node, params.stream, group, first=first)
                for group in stream_frontier.holders(groups)[:NAMED]
            ]
        return _plan(params, groups, goes=goes, stays=max(0, length - goes.entries_count), lags=lags, held=held)

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        with redis_node(replace(target, database=str(params.db))) as node:
            now = stream_frontier.frontier(stream_frontier.standings(node, params.stream))
        through = plan.observed["through"]
        return [
            Check(
                label="Acknowledged by every group up to",
                planned=through,
                now=now.decode(),
                ok=order(now) >= order(through.encode()),
                words="A group was made or set back: it would lose entries.",
            )
        ]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        through = plan.observed["through"].encode()
        with progress.redis() as node:
            node.command("SELECT", params.db)
            primary(node)
            stream_frontier.check_version(node)
            scripting.load(node, TRIM)
            done = stream_trimming.trim(
                node, params.stream, through=through, most=plan.most_count or 0, database=params.db, progress=progress
            )
            length = stream_frontier.exists(node, params.stream)
        return _outcome(params, plan, done, length=length)


ACTION = TrimStream()


def _counted(node: RedisNode, stream: bytes, *, end: bytes, planning: Planning) -> Counted:
    """Every entry that may go, until it is a whole run's worth."""
    count = size = 0
    first = through = b""
    for page in stream_entries.walk(node, stream, end=end) if end != NOTHING else ():
        first = first or page[0][0]
        for entry in page:
            if count >= stream_entries.MOST_ENTRIES or (count and size >= stream_entries.MOST_BYTES):
                return Counted(entries_count=count, size_bytes=size, first=first, through=through, is_cut=True)
            count, size, through = count + 1, size + stream_entries.size_of(entry), entry[0]
        planning.check(count, None, f"entries read, {size // 1_000_000:,} MB")
    return Counted(entries_count=count, size_bytes=size, first=first, through=through)


def _plan(
    params: Params,
    groups: Sequence[Standing],
    *,
    goes: Counted,
    stays: int,
    lags: Sequence[Count],
    held: list[Sentence],
) -> Plan:
    through = goes.through or NOTHING
    bound = plain(goes.through, most=40) or "<id>"
    return Plan(
        effect=f"Trim {goes.entries_count:,} {_entries(goes.entries_count)}",
        of=say("acknowledged by every group of ", params.stream, f" in db {params.db}"),
        keep="Keep every entry",
        figures=(
            Figure(
                label="Go", amount=exactly(goes.entries_count, "entries"), note=_age_words(goes.first), grave=True
            ),
            Figure(label="Stay", amount=exactly(stays, "entries"), note=say("now; senders go on adding")),
            Figure(label="Kept first", amount=exactly(goes.size_bytes, "B on disk"), note=say("before compression")),
            Figure(label="Groups", amount=exactly(len(groups)), note=say("asked again before each step")),
        ),
        facts=_facts(goes, held),
        sample=_table(groups, lags),
        commands=(
            f"XRANGE {plain(params.stream, most=60)} - {bound} COUNT …",
            scripting.shown(TRIM, plain(params.stream, most=60)),
            f"   XINFO GROUPS, XPENDING of each group, then XTRIM {plain(params.stream, most=60)} MINID = <after {bound}>",
        ),
        undo=say(
            "A stream takes no entry older than its newest: undo puts what was kept into a stream beside it, named ",
            params.stream + b":trimmed:<run>", ", with the same ids. Groups do not see it.",
        ),
        most_count=goes.entries_count,
        observed={"through": through.decode(), "groups": str(len(groups))},
        blocked=() if goes.entries_count else say("Nothing may go: ", *_joined(held)),
    )  # fmt: skip


def _facts(goes: Counted, held: list[Sentence]) -> tuple[Fact, ...]:
    words = held[0]
    for more in held[1:]:
        words = (*words, *say("; "), *more)
    facts = [
        Fact(label="Keeps the rest", words=words),
        Fact(
            label="Stops by itself",
            words=say(
                "when a group is made or set back to an entry that would go, and between two steps when asked to"
            ),
        ),
        Fact(label="Not freed at once", words=say("memory is given back node by node, some hundred entries each")),
    ]
    if goes.is_cut:
        limit = f"{stream_entries.MOST_ENTRIES:,} entries or {stream_entries.MOST_BYTES // 1_048_576} MiB"
        facts.append(Fact(label="The rest", words=say(f"One run keeps at most {limit}: plan again after it.")))
    return tuple(facts)


def _joined(held: list[Sentence]) -> list[str | bytes]:
    return [piece.text if piece.name is None else piece.name for words in held[:1] for piece in words] + ["."]


def _table(groups: Sequence[Standing], lags: Sequence[Count]) -> Table:
    """The groups, those first that keep the frontier."""
    ranked = sorted(zip(groups, lags, strict=True), key=lambda each: order(each[0].through))
    rows = tuple(
        (
            Cell(name=group.name),
            Cell(amount=_amount(lag)),
            Cell(amount=exactly(group.pending_count)),
            Cell(text=_needs(group)),
        )
        for group, lag in ranked[:GROUPS_SHOWN]
    )
    said = f"{len(groups)} groups, the slowest first" if len(groups) > 1 else "its one group"
    return Table(columns=("Group", "Still to read", "Pending", "Needs from"), rows=rows, said=said)


def _needs(group: Standing) -> str:
    """The first entry that must stay for this group."""
    if group.is_held_by_pending and group.oldest_pending:
        return group.oldest_pending.decode()
    return f"after {group.last_delivered.decode()}"


def _amount(count: Count) -> Amount:
    if count.value is None:
        return unknown(count.why)
    return exactly(count.value) if count.known is Known.EXACT else at_least(count.value, why=count.why)


def _age_words(first: bytes) -> Sentence:
    at = id_time(first) if first else None
    return say(f"the oldest was added {at:%Y-%m-%d %H:%M} UTC") if at else say("")


def _entries(count: int) -> str:
    return "entry" if count == 1 else "entries"


def _outcome(params: Params, plan: Plan, done: Done, *, length: int) -> Outcome:
    planned = plan.most_count or 0
    missing = max(0, planned - done.removed_count)
    return Outcome(
        ending=Ending.DONE,
        said=say(f"Trimmed {done.removed_count:,} {_entries(done.removed_count)} of ", params.stream, "."),
        figures=(
            Figure(label="Removed", amount=exactly(done.removed_count, "entries"), note=say(f"of {planned:,} planned")),
            Figure(label="Gone already", amount=exactly(missing, "entries"), note=say("others removed them meanwhile")),
            Figure(label="Kept", amount=exactly(done.size_bytes, "B on disk"), note=say("before compression")),
            Figure(label="Failed", amount=exactly(0, "entries")),
        ),
        facts=(
            Fact(label="In the stream now", words=say(f"{length:,} {_entries(length)}")),
            Fact(label="Every group", words=say("has all that it had not acknowledged; none was changed")),
        ),
    )
