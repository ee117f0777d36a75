"""The fleet as one page: filtered, sorted, counted, and the sentence that says how things are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apps.history.reads import ServerState

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
USUAL = {"prod": 0, "staging": 1, "dev": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An environment to filter by, and how many servers it holds. An empty key is all."""

    key: str
    title: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """`states` are what the filter left, in the order asked for; everything else is about the whole scope."""

    states: list[ServerState]
    sentence: str
    all_count: int
    well_count: int
    sampled_at: datetime | None
    choices: list[Choice]
    query: str
    environment: str
    sort: str


def chosen(everything: list[ServerState], *, query: str = "", environment: str = "", sort: str = "") -> Fleet:
    """The states that fit, in the order asked for. Cost: nothing."""
    sort = sort if sort in SORTS else ""
    shown = [s for s in everything if (not environment or s.server.environment == environment) and _fits(s, query)]
    return Fleet(
        states=sorted(shown, key=SORTS[sort]) if sort else shown,
        sentence=sentence(everything),
        all_count=len(everything),
        well_count=sum(s.signal == "ok" for s in everything),
        sampled_at=max((s.tried_at for s in everything if s.tried_at), default=None),
        choices=_choices(everything),
        query=query,
        environment=environment,
        sort=sort,
    )


def _fits(state: ServerState, query: str) -> bool:
    server = state.server
    text = " ".join([server.key, server.environment, server.kind, state.title, state.reason, *server.tags]).lower()
    return all(word in text for word in query.lower().split())


def _choices(states: list[ServerState]) -> list[Choice]:
    counts = Counter(state.server.environment for state in states)
    order = sorted(counts, key=lambda name: (USUAL.get(name, len(USUAL)), name))
    return [
        Choice(key="", title="All", count=len(states)),
        *(Choice(key=name, title=name.capitalize(), count=counts[name]) for name in order),
    ]


def sentence(states: list[ServerState]) -> str:
    """The heading: how the fleet is, in one sentence, the worst first."""
    down = sum(s.signal == "down" for s in states)
    look = sum(s.needs_a_look for s in states)
    unknown = sum(s.signal == "unknown" for s in states)
    if not states:
        return "No server is registered."
    if down:
        rest = f"{_word(look)} need{'s' if look == 1 else ''} a look" if look else "nothing else needs a look"
        return f"{_servers(down)} cannot be reached{', ' + rest if len(states) > down else ''}."
    if look:
        return f"{_servers(look)} need{'s' if look == 1 else ''} a look."
    if unknown:
        return f"{_servers(unknown)} {'is' if unknown == 1 else 'are'} not known."
    return {1: "The one server is well.", 2: "Both servers are well."}.get(
        len(states), f"All {_word(len(states))} servers are well."
    )


def _word(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"


def _servers(count: int) -> str:
    return f"{_word(count).capitalize()} server{'' if count == 1 else 's'}"


def _highest(figure: Callable[[ServerState], float | None]) -> Callable[[ServerState], tuple[float, str]]:
    """The highest figure first; what is not known comes last."""

    def key(state: ServerState) -> tuple[float, str]:
        value = figure(state)
        return (float("inf") if value is None else -value), state.server.key

    return key


def _lowest(figure: Callable[[ServerState], float | None]) -> Callable[[ServerState], tuple[float, str]]:
    def key(state: ServerState) -> tuple[float, str]:
        value = figure(state)
        return (float("inf") if value is None else value), state.server.key

    return key


SORTS: dict[str, Callable[[ServerState], tuple[float, str]]] = {
    "name": lambda state: (0.0, state.server.key),
    "full": _highest(lambda s: s.full_ratio),
    "load": _highest(lambda s: s.load_per_s),
    "hits": _lowest(lambda s: s.figures.get("hit_ratio")),
    "connections": _highest(lambda s: s.figures.get("clients_count")),
    "trip": _highest(lambda s: s.figures.get("latency_s")),
    "oldest": _highest(lambda s: s.figures.get("oldest_job_s")),
    "lag": _highest(lambda s: s.figures.get("replica_lag_s")),
}
