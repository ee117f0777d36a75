"""What runs, what ran, and what can be put back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import Denied, console_page, operator_of
from apps.engine import units
from apps.engine.contracts.plan import Outcome
from apps.engine.errors import Gone
from apps.operations import execution
from apps.operations.actor import actor_of
from apps.operations.catalogue import action_for, actions
from apps.operations.course import Course
from apps.operations.drawing import Chart, chart
from apps.operations.models import AuditEntry, Run
from apps.operations.models.runs import OPEN, RunState
from apps.operations.planning import content_of
from apps.operations.seeing import find_run, looked_at, may_do, may_see_inside, visible_runs
from apps.operations.stored import from_json, params_shown
from apps.operations.undoing import SUFFIX
from apps.servers.fragments import part

PAGE = 50
MOST_LOG = 200
WEEK = timedelta(days=7)


@require_safe
@console_page("console.use")
def runs(request: HttpRequest) -> HttpResponse:
    """What goes on first, then what ended badly in the last week, then the rest by time. Cost: six queries of the console's data."""
    seen = visible_runs(operator_of(request))
    chosen = _filtered(seen, request)
    week = seen.filter(created_at__gt=timezone.now() - WEEK)
    counts = dict(week.order_by().values_list("state").annotate(Count("pk")))
    page = Paginator(chosen.exclude(state__in=OPEN), PAGE).get_page(request.GET.get("page"))
    context = {
        "open_runs": list(chosen.filter(state__in=OPEN)[:PAGE]),
        "page": page,
        "counts": {state.value: counts.get(state.value, 0) for state in RunState},
        "week_count": sum(counts.values()),
        "open_count": seen.filter(state__in=OPEN).count(),
        "bad_count": sum(counts.get(state, 0) for state in ("failed", "partial", "unknown")),
        "states": [state.value for state in RunState],
        "known_actions": [(key, action.title) for key, action in actions().items() if not key.endswith(SUFFIX)],
        "filters": {name: request.GET.get(name, "") for name in ("state", "action", "server", "who", "q")},
    }
    return render(request, part(request, "operations/runs.html", "runs"), context)


def _filtered(seen: QuerySet[Run], request: HttpRequest) -> QuerySet[Run]:
    asked = {
        name: request.GET.get(name, "").replace("\x00", "")[:80] for name in ("state", "action", "server", "who", "q")
    }
    if asked["state"] in RunState.values:
        seen = seen.filter(state=asked["state"])
    if asked["action"]:
        seen = seen.filter(action__in=(asked["action"], f"{asked['action']}{SUFFIX}"))
    if asked["server"]:
        seen = seen.filter(server_key=asked["server"])
    if asked["who"]:
        seen = seen.filter(operator__username=asked["who"])
    if asked["q"]:
        words = Q(reason__icontains=asked["q"]) | Q(server_key__icontains=asked["q"]) | Q(effect__icontains=asked["q"])
        seen = seen.filter(words | Q(pk=int(asked["q"])) if asked["q"].isdecimal() and len(asked["q"]) < 18 else words)
    return seen


# -- one run -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One step of the line over a run. `state` is done, now, todo or bad."""

    title: str
    words: str
    state: str


@require_safe
@console_page("console.use")
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run, the same page for everyone who may see it; it refreshes until the run has ended. Cost: eight queries."""
    found = find_run(request, pk)
    request.server = found.server  # type: ignore[attr-defined]
    looked_at(request)
    return render(request, part(request, "operations/run.html", "run"), _context(request, found))


def _context(request: HttpRequest, found: Run) -> dict[str, Any]:
    operator = operator_of(request)
    inside = may_see_inside(operator, found)
    try:
        action = action_for(found.action)
    except Gone:
        action = None
    course = Course.from_json(found.progress.get("course"))
    size, per = (1_000_000, "MB/s") if action and action.unit else (1, "/s")
    return {
        "run": found,
        "server": found.server,
        "action": action,
        "inside": inside,
        "may_stop": found.is_open and (may_do(operator, found) or found.operator_id == operator.pk),
        "plan": content_of(found.plan) if found.plan.content else None,
        "shown": params_shown(action, found.plan.params) if action and inside else [],
        "outcome": from_json(Outcome, found.outcome) if found.outcome else None,
        "unit": action.unit if action else "",
        "stations": _stations(found, unit=action.unit if action else ""),
        "pace": _chart([(at, per_s / size) for at, per_s in course.per_s()]),
        "pace_unit": per,
        "felt": _chart([(at, felt_s * 1000) for at, felt_s in course.felt_s()]),
        "per_s": _pace(course),
        "left": _left(found, course),
        "log": list(found.log.all()[:MOST_LOG]) if inside else [],
        "entries": list(AuditEntry.objects.filter(run_number=found.pk).order_by("-seq")[:20]),
        "undo": _undo(found, operator_may=may_do(operator, found)),
        "undone_by": list(found.undone_by.all()[:5]),
    }


def _chart(points: list[tuple[Any, float]]) -> Chart | None:
    return chart(points) if len(points) > 2 else None


def _pace(course: Course) -> float | None:
    """Things a second in the last minute or so."""
    recent = course.points[-60:]
    if len(recent) < 2 or recent[0][0] is None or recent[-1][0] is None:
        return None
    took = recent[-1][0] - recent[0][0]
    return ((recent[-1][1] or 0) - (recent[0][1] or 0)) / took if took > 0 else None


def _left(found: Run, course: Course) -> tuple[float, float] | None:
    """Seconds that are left, at the pace of the last minute and at that of the whole run; no false middle."""
    pace, took = _pace(course), found.took
    if not pace or not found.total_count or took is None or found.state != RunState.RUNNING:
        return None
    left = max(0, found.total_count - found.done_count)
    whole = found.done_count / max(took.total_seconds(), 1)
    times = sorted(left / each for each in (pace, whole) if each > 0)
    return (times[0], times[-1]) if times else None


def _stations(found: Run, *, unit: str) -> list[Station]:
    ended = not found.is_open
    bad = found.ended_badly
    plan = Station(
        title="Planned", words=found.plan.made_at.strftime("%H:%M:%S") if found.plan.made_at else "", state="done"
    )
    guard = Station(title="Guard", words=_guard_words(found), state="done")
    running = "done" if ended and not bad else "bad" if bad else "now"
    words = _count_words(found, unit) if found.total_count else ""
    if found.state == RunState.QUEUED:
        words = "held back" if found.waits_until else found.note or "no worker free yet"
    run_ = Station(title="Run", words=words, state=running)
    last = Station(
        title=found.get_state_display().capitalize() if ended else "Done",
        words=found.finished_at.strftime("%H:%M:%S") if found.finished_at else "",
        state=("bad" if bad else "done") if ended else "todo",
    )
    return [plan, guard, run_, last]


def _count_words(found: Run, unit: str) -> str:
    """How far it is: things, or bytes on a disk."""
    counts = (found.done_count, found.total_count or 0)
    return " of ".join(" ".join(units.disk(each)) if unit else f"{each:,}" for each in counts)


def _guard_words(found: Run) -> str:
    approval = getattr(found.plan, "approval", None)
    if approval is not None and approval.answered_by is not None:
        return f"agreed: {approval.answered_by.username}"
    return "one person" if found.single_person else "met"


def _undo(found: Run, *, operator_may: bool) -> dict[str, Any]:
    """Whether it can be put back, until when, and how."""
    key = f"{found.action}{SUFFIX}"
    archive = getattr(found, "archive", None)
    if key not in actions():
        why = getattr(actions().get(found.action), "undo", None)
        return {"possible": False, "why": getattr(why, "why", "")}
    there = archive is not None and archive.is_there and not found.is_open and archive.settled_count > 0
    return {
        "possible": there and operator_may and found.server is not None,
        "key": key,
        "archive": archive,
        "why": "" if there else _no_archive(archive, found),
    }


def _no_archive(archive: Any, found: Run) -> str:
    if found.is_open:
        return "When the run has ended."
    if archive is None:
        return "Nothing was kept: nothing was changed, or it was run without an archive."
    return "The archive was dropped." if not archive.is_there else "Nothing was changed."


@require_POST
@console_page("console.use")
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop after the present step: whoever could have started it may, and the one who did."""
    found = find_run(request, pk)
    operator = operator_of(request)
    if not (may_do(operator, found) or found.operator_id == operator.pk):
        raise Denied(action_for(found.action).permission, found.server.place if found.server else None)
    messages.info(request, execution.ask_to_stop(found, by=actor_of(request)))
    return redirect("operations:run", found.pk)
