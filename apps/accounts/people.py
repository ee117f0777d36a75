"""What an admin does with operators. Every function is one transaction, says who did it, and holds two rules:

nobody changes their own roles or locks themselves, and an admin of everything without an end remains.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts import factors, presence
from apps.accounts.events import Kind, tell
from apps.accounts.models import Assignment, Invitation, Operator, Role, ScopeKind

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no I, O, 0, 1: it is read aloud and typed
CODE_LENGTH = 24  # 120 bits
CODE_VALID = timedelta(hours=24)


class Refused(Exception):
    """One of the rules above, as a sentence for the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role within a scope, until when (None: no end), and why."""

    role: Role
    scope_kind: ScopeKind
    scope_key: str
    expires_at: datetime | None
    reason: str


@transaction.atomic
def invite(username: str, *, by: str, name: str = "", note: str = "") -> tuple[Operator, str]:
    """A new operator without roles and password, and the one-time code to set one. Errors: Refused for a taken name."""
    if Operator.objects.filter(username=username.lower()).exists():
        raise Refused(f"There is an operator {username.lower()} already.")
    operator = Operator.objects.create_user(username, None, name=name, note=note)
    _tell("operator.invite", operator, by=by)
    return operator, new_code(operator, by=by)


@transaction.atomic
def new_code(operator: Operator, *, by: str) -> str:
    """A one-time code to set a password with; older ones stop working. It is returned once and kept as a hash only."""
    operator.invitations.filter(used_at=None).update(expires_at=timezone.now())
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    Invitation.objects.create(
        operator=operator, code_hash=_hash(code), created_by=by, expires_at=timezone.now() + CODE_VALID
    )
    _tell("operator.code", operator, by=by)
    return "-".join(code[i : i + 6] for i in range(0, CODE_LENGTH, 6))


def find_code(username: str, code: str) -> Invitation | None:
    """The invitation that this code opens, if it still does."""
    found = Invitation.objects.select_related("operator").filter(code_hash=_hash(code), used_at=None)
    invitation = found.filter(operator__username=username.strip().lower(), expires_at__gt=timezone.now()).first()
    return invitation if invitation and invitation.operator.may_sign_in else None


@transaction.atomic
def use_code(invitation: Invitation, password: str) -> bool:
    """Set the password; every session ends. False when another request used the code in the meantime."""
    claimed = Invitation.objects.filter(pk=invitation.pk, used_at=None).update(used_at=timezone.now())
    if not claimed:
        return False
    operator = invitation.operator
    operator.set_password(password)
    operator.save(update_fields=["password"])
    presence.end_sessions(operator)
    _tell("operator.password", operator, by=operator.username)
    return True


@transaction.atomic
def set_email(operator: Operator, email: str, *, by: str) -> None:
    """Where messages to this operator go from now on; empty for nowhere."""
    Operator.objects.filter(pk=operator.pk).update(email=email)
    _tell("operator.email", operator, by=by, email=email)


@transaction.atomic
def lock(operator: Operator, *, by: str, reason: str) -> int:
    """Lock and end every session. Roles stay. Returns how many sessions ended. Errors: Refused."""
    _not_oneself(operator, by)
    _an_admin_remains(without=operator)
    Operator.objects.filter(pk=operator.pk).update(locked_at=timezone.now(), locked_reason=reason)
    operator.invitations.filter(used_at=None).update(expires_at=timezone.now())
    _tell("operator.lock", operator, by=by, reason=reason)
    return presence.end_sessions(operator)


@transaction.atomic
def unlock(operator: Operator, *, by: str) -> None:
    Operator.objects.filter(pk=operator.pk).update(locked_at=None, locked_reason="")
    _tell("operator.unlock", operator, by=by)


@transaction.atomic
def grant(operator: Operator, wanted: Grant, *, by: str) -> Assignment:
    """Errors: Refused for one's own roles, an end in the past, an admin of less than everything, or a role that is held."""
    _not_oneself(operator, by)
    if wanted.expires_at and wanted.expires_at <= timezone.now():
        raise Refused("The end is in the past.")
    if wanted.role == Role.ADMIN and wanted.scope_kind != ScopeKind.ALL:
        raise Refused("An admin administers the whole console: choose everything.")
    same = {"role": wanted.role, "scope_kind": wanted.scope_kind, "scope_key": wanted.scope_key}
    if operator.assignments.in_force().filter(**same).exists():
        raise Refused(f"{operator} holds that role there already: revoke it first to change its end.")
    until = wanted.expires_at.isoformat() if wanted.expires_at else ""
    _tell("operator.grant", operator, by=by, reason=wanted.reason, until=until, **{k: str(v) for k, v in same.items()})
    return Assignment.objects.create(
        operator=operator, granted_by=by, reason=wanted.reason, expires_at=wanted.expires_at, **same
    )


@transaction.atomic
def revoke(assignment: Assignment, *, by: str) -> None:
    """End a role now. Errors: Refused for one's own, and for the last admin."""
    _not_oneself(assignment.operator, by)
    if assignment.role == Role.ADMIN:
        _an_admin_remains(without=assignment.operator)
    Assignment.objects.filter(pk=assignment.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by)
    _tell("operator.revoke", assignment.operator, by=by, role=assignment.role, scope=str(assignment))


@transaction.atomic
def reset_second_factor(operator: Operator, *, by: str) -> int:
    """Take the code app and recovery codes away and end the sessions: whoever held the device is out. Errors: Refused."""
    _not_oneself(operator, by)
    presence.end_sessions(operator)
    _tell("operator.reset_factor", operator, by=by)
    return factors.remove_factors(operator)


def only_admin() -> Operator | None:
    """The admin without whom nobody could manage operators, where there is but one."""
    admins = list(_lasting_admins())
    return admins[0] if len(admins) == 1 else None


def _lasting_admins() -> set[Operator]:
    """Admins of everything whose role has no end."""
    lasting = Assignment.objects.in_force().filter(role=Role.ADMIN, scope_kind=ScopeKind.ALL, expires_at=None)
    admins = Operator.objects.filter(is_active=True, locked_at=None)
    return set(admins.filter(pk__in=lasting.values("operator")))


def _an_admin_remains(*, without: Operator) -> None:
    list(Operator.objects.select_for_update().order_by("pk").values_list("pk"))  # two admins must not remove each other
    if not _lasting_admins() - {without} and without in _lasting_admins():
        raise Refused(f"{without} is the only admin without an end: nobody could manage operators any more.")


def _not_oneself(operator: Operator, by: str) -> None:
    if operator.username == by:
        raise Refused("Nobody changes their own roles, lock or factors here: another admin can.")


def _tell(action: str, operator: Operator, *, by: str, **facts: str) -> None:
    tell(Kind.CHANGE, action, actor=by, facts={"operator": operator.username, **facts})


def _hash(code: str) -> str:
    letters = "".join(code.upper().split()).replace("-", "")
    return hashlib.sha256(letters.encode()).hexdigest()
