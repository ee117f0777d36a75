"""Making a plan: at once where it is quick, else in a worker; then bound by its digest to all that it was made from."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from apps.engine.contracts import action as contract
from apps.engine.contracts import plan as said
from apps.engine.contracts.action import AnyAction, Cancelled, Refused, TakesLonger
from apps.engine.errors import EngineError
from apps.operations import audit, guard
from apps.operations.actor import Actor
from apps.operations.catalogue import action_for
from apps.operations.models import Plan
from apps.operations.models.audit import Phase
from apps.operations.models.plans import PlanState
from apps.operations.publishing import publish_plan
from apps.operations.stored import canonical, from_json, params_from_json, params_to_json, to_json
from apps.servers.models import Server

VALID_FOR = timedelta(minutes=30)
AT_ONCE_S = 1.0
HEARD_EVERY_S = 1.0
LONGEST_S = 1800.0
log = structlog.get_logger(__name__)


class AtOnce(contract.Planning):
    """A plan within a request: gives up after a second, so that it can go on in the background."""

    def __init__(self) -> None:
        self._until = time.monotonic() + AT_ONCE_S

    def check(self, done_count: int = 0, total_count: int | None = None, note: str = "") -> None:
        if time.monotonic() > self._until:
            raise TakesLonger


class InBackground(contract.Planning):
    """A plan within a worker: says how far it is, and stops when the plan was dropped."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._until = time.monotonic() + LONGEST_S
        self._next = 0.0

    def check(self, done_count: int = 0, total_count: int | None = None, note: str = "") -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + HEARD_EVERY_S
        if now > self._until:
            raise contract.Stopped("The plan took too long.", way_out="Narrow it down.")
        wanted = Plan.objects.filter(pk=self._plan.pk, state=PlanState.PLANNING).update(
            done_count=done_count, total_count=total_count, note=note[:200], heartbeat_at=timezone.now()
        )
        if not wanted:
            raise Cancelled("Nobody wants this plan any more.")


def make_plan(actor: Actor, action: AnyAction, server: Server, params: Any) -> Plan:
    """A plan: READY where it was quick, WAITING where it needs a worker. It is written down that it was made.

    Errors: those of check_may_plan (a denied try is written down too); Refused and EngineError of the action, and then there
    is no plan.
    """
    guard.check_may_plan(actor.operator, action, server)
    params = action.prepared(params)
    plan = Plan(
        action=action.key,
        operator=actor.operator,
        session_hash=actor.session,
        server=server,
        server_key=server.key,
        environment=server.environment,
        expires_at=timezone.now() + VALID_FOR,
        request_id=actor.request_id,
    )
    plan.params = params_to_json(action, params, sealed_to=plan.sealed_to)
    begun = time.monotonic()
    try:
        content = action.plan(server.target(action.profile), params, planning=AtOnce())
    except TakesLonger:
        plan.save()
        transaction.on_commit(lambda: publish_plan(plan))
        return plan
    _bind(plan, server, content, took_s=time.monotonic() - begun)
    plan.save()
    return plan


def plan_in_background(pk: int) -> None:
    """A worker's part: claims the plan, makes it, and leaves it READY or FAILED. Nothing when somebody else has it."""
    claimed = Plan.objects.filter(pk=pk, state=PlanState.WAITING).update(
        state=PlanState.PLANNING, heartbeat_at=timezone.now()
    )
    if not claimed:
        return
    plan = Plan.objects.select_related("server", "operator").get(pk=pk)
    begun = time.monotonic()
    try:
        content = _planned(plan)
    except EngineError as error:
        _fail(plan, error)
        return
    except Exception:
        log.exception("planning failed", **plan.described())
        _fail(plan, EngineError("The console made a mistake; its log says more."))
        raise
    assert plan.server is not None
    _bind(plan, plan.server, content, took_s=time.monotonic() - begun)
    plan.expires_at = timezone.now() + VALID_FOR
    plan.save(update_fields=["content", "digest", "state", "made_at", "took_s", "expires_at"])


def _planned(plan: Plan) -> said.Plan:
    if plan.server is None:
        raise Refused("The server is not registered any more.")
    action = action_for(plan.action, kind=plan.server.kind)
    guard.check_may_plan(plan.operator, action, plan.server)
    params = params_from_json(action, plan.params, sealed_to=plan.sealed_to)
    return action.plan(plan.server.target(action.profile), params, planning=InBackground(plan))


def _fail(plan: Plan, error: EngineError) -> None:
    Plan.objects.filter(pk=plan.pk, state=PlanState.PLANNING).update(
        state=PlanState.FAILED, error=f"{error.message} {error.way_out}".strip()[:600], error_kind=error.kind
    )


def _bind(plan: Plan, server: Server, content: said.Plan, *, took_s: float) -> None:
    plan.content = to_json(content)
    plan.state = PlanState.READY
    plan.made_at = timezone.now()
    plan.took_s = took_s
    plan.digest = digest_of(plan, server)


def digest_of(plan: Plan, server: Server) -> str:
    """What a plan is bound to: the action, the parameters, what was counted, the server it was counted on, the policy."""
    bound = {
        "action": plan.action,
        "params": plan.params,
        "content": plan.content,
        "operator": plan.operator_id,
        "server": [server.pk, server.key, server.environment, server.addresses, server.database],
        "policy": guard.policy_version(),
    }
    return hashlib.sha256(canonical(bound)).hexdigest()


def content_of(plan: Plan) -> said.Plan:
    """What a READY plan says."""
    return from_json(said.Plan, plan.content)


def drop(plan: Plan, *, by: Actor) -> bool:
    """ "Keep everything": nothing will come of this plan. False when it had become something already."""
    open_states = (PlanState.WAITING, PlanState.PLANNING, PlanState.READY)
    dropped = Plan.objects.filter(pk=plan.pk, operator=by.operator, state__in=open_states)
    return bool(dropped.update(state=PlanState.DROPPED))


def note_denied(actor: Actor, action: AnyAction, server: Server, *, why: str, at: str) -> None:
    """Write down a try that was not allowed: at the plan, at the button, or by the worker."""
    audit.append(
        Phase.DENIED, actor=actor.name, action=action.key, server_key=server.key, environment=server.environment,
        result="denied", why=why[:400], at_guard=at, who=actor.facts(server),
    )  # fmt: skip
