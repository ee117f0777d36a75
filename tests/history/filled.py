"""History written as the sampler would have, for tests of what is read from it."""

from __future__ import annotations

from collections.abc import Callable

from apps.history import store
from apps.history.rollups import roll_up
from apps.servers.models import Server

Figure = Callable[[int], float | None]


def fill(
    server: Server,
    probe: str,
    figures: dict[str, Figure],
    *,
    begin_s: int,
    end_s: int,
    step_s: int = 10,
    node: str = "",
) -> None:
    """Raw samples of `figures` (name: value at a second), every `step_s`; None leaves a figure out."""
    store.keep(
        store.Seen(server=server, node=node, probe=probe, at_s=at_s, figures={n: f(at_s) for n, f in figures.items()})
        for at_s in range(begin_s, end_s, step_s)
    )


def gather(*, now_s: float) -> None:
    """Roll up until there is nothing left to do."""
    while roll_up(now_s=now_s):
        pass
