"""What goes on now and what happened lately, within the scope of who looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from apps.accounts.models import Operator
from apps.history import timeline
from apps.history.models import Event
from apps.history.reads import ServerState
from apps.operations.models import Run
from apps.operations.models.runs import OPEN
from apps.operations.seeing import visible_runs

MOST_RUNS, MOST_EVENTS = 5, 7
LATELY = timedelta(hours=24)


def running(operator: Operator, states: Sequence[ServerState]) -> list[Run]:
    """The runs that are not over, newest first, at most five. Cost: one query."""
    return list(visible_runs(operator, (state.server for state in states)).filter(state__in=OPEN)[:MOST_RUNS])


def lately(states: Sequence[ServerState], *, now: datetime) -> list[Event]:
    """The newest events of a day, at most seven. Cost: one query."""
    servers = [state.server for state in states]
    return timeline.events(servers, begin=now - LATELY, end=now, limit=MOST_EVENTS)
