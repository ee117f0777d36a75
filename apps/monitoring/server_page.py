"""The page of one server, put together from what was seen of it: nothing here asks the server itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from string import ascii_uppercase
from typing import Any

from apps.history import timeline
from apps.history.models import Event, LastKnown
from apps.history.reads import ServerState
from apps.monitoring.heads import Foretold, Head
from apps.monitoring.spans import Span
from apps.servers.models import Server

MOST_EVENTS = 40
MOST_MARKS = 12
CHANGED = 0.1  # what is said in the heading has changed by a tenth

Marks = list[tuple[str, Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One registered address as the sampler saw it last; `figures` are empty where it was never asked."""

    address: str
    is_first: bool
    figures: Mapping[str, Any]
    at: datetime | None
    error: str

    @property
    def lag_s(self) -> float | None:
        return self.figures.get("replica_lag_s") if self.figures.get("role") == "replica" else None

    @property
    def held_bytes(self) -> float | None:
        held: float | None = self.figures.get("used_memory_bytes", self.figures.get("size_bytes"))
        return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the sampler left of a server: its nodes, and what runs into a limit."""

    nodes: tuple[NodeRow, ...]
    foretold: tuple[Foretold, ...]

    def present(self, state: ServerState) -> Mapping[str, Any]:
        """The last figures of the server, those with labels among them."""
        return {**(self.nodes[0].figures if self.nodes else {}), **state.figures}


def seen_of(server: Server, row: LastKnown) -> Seen:
    """Every registered address, from the last sample. Cost: nothing is asked."""
    nodes = tuple(
        _node(str(address), row.raw.get("" if number == 0 else str(address), {}), is_first=number == 0)
        for number, address in enumerate(server.address_list())
    )
    return Seen(nodes=nodes, foretold=tuple(_foretold(each) for each in row.forecasts))


def _foretold(stored: Mapping[str, Any]) -> Foretold:
    return Foretold(**{each.name: stored[each.name] for each in fields(Foretold)})


def _node(address: str, by_probe: Mapping[str, Any], *, is_first: bool) -> NodeRow:
    answers = [answer for answer in by_probe.values() if isinstance(answer, dict)]
    figures = {name: value for answer in answers for name, value in answer.get("figures", {}).items()}
    at_s = max((answer.get("at_s", 0.0) for answer in answers if answer.get("figures")), default=0.0)
    return NodeRow(
        address=address,
        is_first=is_first,
        figures=figures,
        at=datetime.fromtimestamp(at_s, UTC) if at_s else None,
        error="" if figures else next((answer["error"] for answer in answers if answer.get("error")), ""),
    )


def marks_of(server: Server, span: Span) -> Marks:
    """What happened in the stretch, newest first; the newest twelve with the letter that each chart shows. Cost: one query."""
    found = timeline.events([server], begin=span.begin, end=span.end, limit=MOST_EVENTS)
    letters = ascii_uppercase[: min(len(found), MOST_MARKS)][::-1]
    return [(letters[number] if number < len(letters) else "", event) for number, event in enumerate(found)]


# -- the heading: the answer in a sentence -------------------------------------------------------------------------------


def sentence(state: ServerState, seen: Seen, heads: Sequence[Head], span: Span) -> str:
    """How the server is, the worst first, then what is other than it was."""
    name = state.server.key
    if state.failing:
        return f"{name} {state.reason}; what is grey was last known"
    if state.figures_at is None:
        return f"Nothing is known of {name} yet"
    if state.stale:
        return f"{name} was {state.reason}; what is grey was last known"
    said = [state.reason] if state.needs_a_look else []
    told = "; ".join([*_joined(said, seen.foretold), *_changes(heads, span)]) or "well"
    return told[:1].upper() + told[1:]


def _joined(said: list[str], foretold: Sequence[Foretold]) -> list[str]:
    """What fills is said with how full it is: memory 91 %, fills in 2 to 3 days."""
    for each in foretold:
        about, _, rest = each.words.partition(" ")
        place = next((place for place, reason in enumerate(said) if reason.startswith(about)), None)
        said = [*said, each.words] if place is None else [*said[:place], f"{said[place]}, {rest}", *said[place + 1 :]]
    return said


def _changes(heads: Sequence[Head], span: Span) -> Iterator[str]:
    known = [head for head in heads if head.compared is not None and head.foretold is None]
    moved = [head for head in known if _moved(head)]
    if not known:
        return
    if not moved:
        yield f"much as {span.before}"
        return
    words = ", ".join(f"{_in_sentence(head.spec.title)} {'up' if _change(head) > 0 else 'down'}" for head in moved[:2])
    rest = (
        ""
        if len(moved) == len(known)
        else ", the rest is much as then"
        if len(moved) < 3
        else f" and {len(moved) - 2} more"
    )
    yield f"{words} against {span.before}{rest}"


def _change(head: Head) -> float:
    return head.compared.change if head.compared else 0.0


def _moved(head: Head) -> bool:
    found = head.compared
    if found is None or found.within_bound:
        return False
    return found.change_ratio is None or abs(found.change_ratio) >= CHANGED


def _in_sentence(title: str) -> str:
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def topology(state: ServerState, seen: Seen) -> str:
    """The deployment in words: One primary, two replicas connected, 1 address registered."""
    role = state.figures.get("role")
    connected = state.figures.get("connected_replicas_count")
    registered = f"{len(seen.nodes)} registered address{'es' if len(seen.nodes) != 1 else ''}"
    if role == "replica":
        return f"A replica; {registered}."
    if role:
        replicas = (
            "no replica connected"
            if not connected
            else f"{connected:.0f} replica{'s' if connected != 1 else ''} connected"
        )
        return f"One {role}, {replicas}; {registered}."
    return f"{registered}; its role is not known."
