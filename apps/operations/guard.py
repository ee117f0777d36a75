"""What stands between a click and a server. Asked when a plan is made, when it is submitted, and by the worker before it begins.

The table of permissions says what a role has to bring in an environment; this module says whether it was brought.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.accounts.access import Decision, decide, permit, who_may
from apps.accounts.limits import TooManyTries
from apps.accounts.models import Operator
from apps.accounts.permissions import Need
from apps.accounts.rows import rows
from apps.engine.contracts.action import AnyAction, Refused
from apps.history.models import LastKnown
from apps.operations.actor import Actor
from apps.operations.models import Approval, Freeze, Plan, Run, freezes_in_force
from apps.operations.undoing import UndoAction
from apps.servers.models import Server

SHORTEST_REASON = 10
LONGEST_REASON = 400
DELAY = timedelta(minutes=10)
ANSWER = "approvals.answer"
# Older than the first are refused when they are registered; newer than the last were not tried.
TESTED = {"redis": ((6, 0), (8, 1)), "postgres": ((13, 0), (18, 99))}


class Key(enum.StrEnum):
    REASON = "reason"
    NAME = "name"
    FRESH = "fresh"
    PERSON = "person"
    DELAY = "delay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One thing that is asked before a run, and whether it was brought. `words` say how, or what is missing."""

    key: Key
    title: str
    met: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was typed."""

    reason: str = ""
    name: str = ""


# -- may it be planned? ------------------------------------------------------------------------------------------------


def need_of(action: AnyAction, decision: Decision) -> Need:
    """What the role has to bring. An undo asks for a fresh sign-in at the most: it puts back what was there."""
    if isinstance(action, UndoAction) and decision.need in (Need.TYPED, Need.APPROVAL):
        return Need.SUDO
    return decision.need


def check_may_plan(operator: Operator, action: AnyAction, server: Server) -> Need:
    """Errors: Denied, NeedsSecondFactor; Refused where the server or a freeze stands in the way; TooManyTries."""
    decision = permit(operator, action.permission, server.place)
    if why := obstacle(action, server):
        raise Refused(why)
    check_rate(operator, action, server)
    return need_of(action, decision)


def obstacle(action: AnyAction, server: Server) -> str:
    """Why nobody can run this here now, as a sentence; empty where nothing stands in the way. Cost: two queries."""
    return obstacle_at(server) or lack_of(action, server)


def obstacle_at(
    server: Server, freezes: Sequence[Freeze] | None = None, figures: Mapping[str, Any] | None = None
) -> str:
    """What stands in the way of every action on a server.

    Cost: two queries; one less for `freezes` in force, and one for the `figures` last known, that the caller has already.
    """
    if server.read_only:
        return f"{server.key} is registered as read-only."
    if freeze := freeze_of(server, freezes):
        return f"Changes are frozen ({freeze}) by {freeze.by}: {freeze.reason}"
    return _untested(server, _figures_of(server) if figures is None else figures)


def lack_of(action: AnyAction, server: Server) -> str:
    """The right that the console's account lacks for one action, by the last probe. Cost: none."""
    lacking = server.capability(action.feature, action.profile)
    if lacking is None or lacking.ok:
        return ""
    return f"The console's account may not do this. {lacking.missing or lacking.reason}".strip()


def freeze_of(server: Server, freezes: Sequence[Freeze] | None = None) -> Freeze | None:
    """The freeze that covers a server, the widest first. Cost: one query."""
    covering = (
        freeze
        for freeze in (freezes_in_force() if freezes is None else freezes)
        if freeze.covers(environment=server.environment, server_key=server.key)
    )
    return next(covering, None)


def _figures_of(server: Server) -> Mapping[str, Any]:
    known = rows(LastKnown, "SELECT id, figures FROM history_lastknown WHERE server_id = %s", [server.pk])
    return known[0].figures if known else {}


def _untested(server: Server, figures: Mapping[str, Any]) -> str:
    version = str(figures.get("version") or "")
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    oldest, newest = TESTED[server.kind]
    if not parts or oldest <= parts <= newest or "Valkey" in str(figures.get("product")):
        return ""
    return f"Version {version} was not tested with this console: it is read-only there."


def check_rate(operator: Operator, action: AnyAction, server: Server) -> None:
    """Errors: TooManyTries. Cost: one indexed query."""
    rate = action.rate
    since = timezone.now() - timedelta(seconds=rate.per_s)
    mine = Run.objects.filter(operator=operator, action=action.key, server=server, created_at__gt=since)
    times = list(mine.order_by("created_at").values_list("created_at", flat=True)[: rate.runs_count])
    if len(times) >= rate.runs_count:
        raise TooManyTries(max(1, int((times[0] - since).total_seconds())))


# -- may it be run? ----------------------------------------------------------------------------------------------------


def demands(need: Need, *, actor: Actor, plan: Plan, server: Server, action: AnyAction, given: Given) -> list[Demand]:
    """Everything this environment asks for, in the order in which it is shown. Cost: four queries where a person is needed."""
    asked: list[Demand] = []
    if need.rank >= Need.REASON.rank:
        asked.append(_reason(given))
    if need.rank >= Need.TYPED.rank:
        asked.append(_name(given, server))
    if need.rank >= Need.SUDO.rank:
        asked.append(_fresh(actor))
    if need is Need.APPROVAL:
        asked.append(_person(actor, plan, server, action))
    return asked


def _reason(given: Given) -> Demand:
    met = SHORTEST_REASON <= len(given.reason) <= LONGEST_REASON
    words = "A ticket, or a sentence that others understand later." if not met else ""
    return Demand(key=Key.REASON, title="Reason", met=met, words=words)


def _name(given: Given, server: Server) -> Demand:
    return Demand(key=Key.NAME, title="Type the name of the server", met=given.name == server.key, words=server.key)


def _fresh(actor: Actor) -> Demand:
    if actor.fresh_until is None:
        return Demand(key=Key.FRESH, title="Fresh sign-in", met=False, words="Prove once more that it is you.")
    left_s = int((actor.fresh_until - timezone.now()).total_seconds())
    return Demand(key=Key.FRESH, title="Fresh sign-in", met=True, words=f"Good for {left_s // 60}:{left_s % 60:02}.")


def _person(actor: Actor, plan: Plan, server: Server, action: AnyAction) -> Demand:
    others = approvers(action, server, but=actor.operator)
    if not others:
        minutes = int(DELAY.total_seconds() // 60)
        words = f"Nobody else could agree. The run begins {minutes} min after you start it, and can be cancelled until then."
        return Demand(key=Key.DELAY, title="Ten minutes to think", met=True, words=words)
    approval = Approval.objects.filter(plan=plan).select_related("answered_by").first()
    return Demand(
        key=Key.PERSON,
        title="A second person",
        met=approval is not None and approval_problem(approval, plan, server, action) == "",
        words=_approval_words(approval, others, server),
    )


def _approval_words(approval: Approval | None, others: Sequence[Operator], server: Server) -> str:
    names = ", ".join(o.username for o in others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
    if approval is None or approval.is_over or approval.state == "void":
        return f"Any of {names}."
    if approval.state == "asked":
        return f"Asked {names}."
    who = approval.answered_by.username if approval.answered_by else "somebody"
    return f"{who} {approval.state}" + (f": {approval.comment}" if approval.comment else ".")


def approvers(action: AnyAction, server: Server, *, but: Operator) -> list[Operator]:
    """Who could agree: may do it here themselves, may answer, and is somebody else. Cost: two queries."""
    answering = who_may(ANSWER, server.place)
    return [o for o in answering if o.pk != but.pk and decide(o, action.permission, server.place).allowed]


def approval_problem(approval: Approval, plan: Plan, server: Server, action: AnyAction) -> str:
    """Why an agreement does not hold, or "": the plan, or the rights of who gave it, may have moved since."""
    if not approval.holds:
        return "No second person agreed, or their answer has ended."
    if approval.digest != plan.digest or approval.answered_by is None:
        return "The agreement was given for another plan."
    if approval.answered_by_id == plan.operator_id:
        return "Nobody agrees to their own plan."
    if approval.answered_by not in approvers(action, server, but=plan.operator):
        return f"{approval.answered_by} could not agree any more."
    return ""


def is_single_person(asked: Sequence[Demand]) -> bool:
    return any(demand.key is Key.DELAY for demand in asked)


# -- may it still begin? -----------------------------------------------------------------------------------------------


def check_may_begin(run: Run, action: AnyAction) -> None:
    """Once more, by the worker. Errors: Refused with the sentence that becomes the run's outcome."""
    server, operator = run.server, run.operator
    if server is None:
        raise Refused("The server is not registered any more.")
    if not operator.may_sign_in:
        raise Refused(f"{operator} was locked meanwhile.")
    decision = decide(operator, action.permission, server.place)
    if not decision.allowed:
        raise Refused(f"{operator} may not do this any more.")
    if why := obstacle(action, server):
        raise Refused(why)
    if need_of(action, decision) is Need.APPROVAL and not run.single_person:
        approval = Approval.objects.filter(plan=run.plan).select_related("answered_by").first()
        why = "No second person agreed." if approval is None else approval_problem(approval, run.plan, server, action)
        if why:
            raise Refused(why)


def policy_version() -> dict[str, Any]:
    """What a plan's digest binds besides: a changed policy asks for a new plan."""
    return {"environments": settings.ENVIRONMENTS, "second_factor": settings.REQUIRE_SECOND_FACTOR}
