"""The token behind the red button: signed, bound to the operator, the session and the very plan that was shown."""

from __future__ import annotations

from django.core.signing import BadSignature, TimestampSigner

from apps.operations.actor import Actor
from apps.operations.models import Plan

GOOD_FOR_S = 3600
_signer = TimestampSigner(salt="operations.confirm")


def _bound(actor: Actor, plan: Plan) -> str:
    return f"{actor.operator.pk}:{actor.session}:{plan.uid}:{plan.digest}"


def token_for(actor: Actor, plan: Plan) -> str:
    """A token for this plan. It is good once: a plan becomes one run."""
    return _signer.sign(_bound(actor, plan))


def is_good(token: str, *, actor: Actor, plan: Plan) -> bool:
    """Also False for a token of another session, another plan, or an hour ago."""
    try:
        return _signer.unsign(token, max_age=GOOD_FOR_S) == _bound(actor, plan)
    except BadSignature:
        return False
