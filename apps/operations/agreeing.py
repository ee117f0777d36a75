"""The second person: asked about one plan, answers once, for that plan alone and for an hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.engine.contracts.action import AnyAction, Refused
from apps.engine.contracts.plan import Check
from apps.operations import audit, guard, telling
from apps.operations.actor import Actor
from apps.operations.catalogue import action_for
from apps.operations.models import Approval, Plan
from apps.operations.models.approvals import ApprovalState, Viewing
from apps.operations.models.audit import Phase
from apps.operations.planning import content_of, digest_of
from apps.operations.stored import params_from_json

HOLDS_FOR = timedelta(minutes=60)
MOST_AN_HOUR = 30


def ask(actor: Actor, plan: Plan, *, reason: str) -> Approval:
    """Ask everybody who could agree, once more where an earlier question ended. Errors: Refused."""
    server = plan.server
    if server is None or not plan.is_open:
        raise Refused("This plan has ended.", way_out="Plan it again.")
    if len(reason) < guard.SHORTEST_REASON:
        raise Refused("Write the reason first: it is what the other person reads.", field="reason")
    action = action_for(plan.action)
    others = guard.approvers(action, server, but=actor.operator)
    if not others:
        raise Refused("Nobody else could agree here.")
    existing = Approval.objects.filter(plan=plan).first()
    if existing is not None and existing.holds:
        return existing
    _check_rate(actor)
    now = timezone.now()
    with transaction.atomic():
        Plan.objects.filter(pk=plan.pk).update(expires_at=now + HOLDS_FOR)
        Approval.objects.filter(plan=plan).exclude(state=ApprovalState.ASKED, expires_at__gt=now).delete()
        approval, is_new = Approval.objects.get_or_create(
            plan=plan, defaults={"digest": plan.digest, "reason": reason, "expires_at": now + HOLDS_FOR}
        )
        if is_new:
            audit.append(
                Phase.ASKED, actor=actor.name, action=plan.action, server_key=plan.server_key,
                environment=plan.environment, result="asked", reason=reason, digest=plan.digest, plan=str(plan.uid),
                asked=[other.username for other in others], who=actor.facts(server),
            )  # fmt: skip
        telling.approval_asked(approval, others)
    return approval


def _check_rate(actor: Actor) -> None:
    since = timezone.now() - timedelta(hours=1)
    if Approval.objects.filter(plan__operator=actor.operator, asked_at__gt=since).count() >= MOST_AN_HOUR:
        raise Refused("You asked thirty times within an hour.", way_out="Speak to somebody.")


def look(approval: Approval, actor: Actor) -> Viewing:
    """Somebody has the question open: since when is written down with their answer."""
    viewing, _ = Viewing.objects.get_or_create(approval=approval, operator=actor.operator)
    return viewing


def checks(approval: Approval) -> Sequence[Check]:
    """What the plan rests on, read again now. Errors: EngineError."""
    plan, server = approval.plan, approval.plan.server
    if server is None:
        raise Refused("The server is not registered any more.")
    action = action_for(plan.action)
    params = params_from_json(action, plan.params, sealed_to=plan.sealed_to)
    return action.checks(server.target(action.profile), params, plan=content_of(plan))


def answer(approval: Approval, actor: Actor, *, state: str, comment: str) -> Approval:
    """One answer, of whoever is first. Agreeing starts nothing. Errors: Refused, EngineError of the checks."""
    plan = approval.plan
    action = action_for(plan.action)
    _check_may_answer(approval, actor, action)
    moved = [check for check in checks(approval) if not check.ok] if state == ApprovalState.AGREED else []
    viewing = look(approval, actor)
    now = timezone.now()
    with transaction.atomic():
        locked = Approval.objects.select_for_update(of=("self",)).get(pk=approval.pk)
        if not locked.waits:
            raise Refused("It was answered already, or the question has ended.")
        locked.state = ApprovalState.VOID if moved else state
        locked.answered_by, locked.answered_at, locked.comment = actor.operator, now, comment[: guard.LONGEST_REASON]
        locked.looked_s = (now - viewing.at).total_seconds()
        locked.expires_at = now + HOLDS_FOR
        locked.save()
        Plan.objects.filter(pk=plan.pk).update(expires_at=now + HOLDS_FOR)
        audit.append(
            Phase.ANSWERED, actor=actor.name, action=plan.action, server_key=plan.server_key,
            environment=plan.environment, result=locked.state, comment=comment, digest=plan.digest, plan=str(plan.uid),
            looked_s=round(locked.looked_s, 1), asked_by=plan.operator.username, who=actor.facts(plan.server),
        )  # fmt: skip
        telling.approval_answered(locked)
    if moved:
        raise Refused(
            f"{moved[0].label}: planned with {moved[0].planned}, now {moved[0].now}. The plan no longer holds."
        )
    return locked


def _check_may_answer(approval: Approval, actor: Actor, action: AnyAction) -> None:
    plan, server = approval.plan, approval.plan.server
    if server is None or plan.digest != digest_of(plan, server) or approval.digest != plan.digest:
        raise Refused("The server or the policy was changed since this plan was made.")
    if actor.operator.pk == plan.operator_id:
        raise Refused("Nobody agrees to their own plan.")
    if actor.operator not in guard.approvers(action, server, but=plan.operator):
        raise Refused("You may not do this yourself here, so you cannot agree to it.")
    if not approval.waits:
        raise Refused("It was answered already, or the question has ended.")
