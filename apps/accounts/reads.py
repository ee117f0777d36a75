"""Questions about operators to the console's own database. Nothing here asks a server, and nothing is changed.

Source of all: the tables of this app and allauth's sessions and authenticators.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Count, Max, Prefetch, Sum
from django.utils import timezone

from apps.accounts.factors import with_second_factor
from apps.accounts.models import Assignment, LoginTry, Operator, Outcome, Role, ScopeKind
from apps.accounts.permissions import POLICIES, TABLE, Need, Permission

SOON = timedelta(days=14)
MOST_PEOPLE = 500
DENIED_DAYS = 7
MOST_DENIED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`problem` is the word of the row's edge: "crit", "warn" or "". `session_count` counts rows, also of expired sessions."""

    operator: Operator
    assignments: tuple[Assignment, ...]
    has_second_factor: bool
    needs_second_factor: bool
    session_count: int

    @property
    def ends_at(self) -> datetime | None:
        """When the first of the roles ends, if one does."""
        return min((a.expires_at for a in self.assignments if a.expires_at), default=None)

    @property
    def ends_soon(self) -> bool:
        return self.ends_at is not None and self.ends_at < timezone.now() + SOON

    @property
    def lacks_factor(self) -> bool:
        return self.needs_second_factor and not self.has_second_factor

    @property
    def problem(self) -> str:
        if not self.operator.may_sign_in:
            return ""
        return "crit" if self.lacks_factor else "warn" if self.ends_soon else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedTries:
    """Failed and refused sign-ins of one address for one known name ("" where no operator is called so)."""

    address: str
    username: str
    failed_count: int
    refused_count: int
    last_at: datetime

    @property
    def count(self) -> int:
        return self.failed_count + self.refused_count


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleLine:
    """One permission with the words of every role, in the order of `Role`."""

    permission: Permission
    words: tuple[str, ...]


def people() -> list[Person]:
    """Everybody, what needs attention first.

    Shape: at most 500 records. Units: counts, UTC moments. Cost: four queries. Errors: none of its own.
    """
    in_force = Prefetch("assignments", Assignment.objects.in_force(), to_attr="in_force_now")
    found = list(Operator.objects.prefetch_related(in_force)[:MOST_PEOPLE])
    factors = with_second_factor(found)
    counted = UserSession.objects.filter(user__in=found).values_list("user_id").annotate(Count("pk"))
    sessions = dict(counted.order_by())
    persons = [_person(o, o.pk in factors, sessions.get(o.pk, 0)) for o in found]
    order = {"crit": 0, "warn": 1, "": 2}
    return sorted(persons, key=lambda p: (order[p.problem], not p.operator.may_sign_in, p.operator.username))


def _person(operator: Operator, has_second_factor: bool, session_count: int) -> Person:
    held: list[Assignment] = operator.in_force_now  # type: ignore[attr-defined]
    return Person(
        operator=operator,
        assignments=tuple(held),
        has_second_factor=has_second_factor,
        needs_second_factor=any(_reaches_strict_environment(a) for a in held),
        session_count=session_count,
    )


def _reaches_strict_environment(assignment: Assignment) -> bool:
    """Whether an environment within the scope is known to demand a factor; where a tag or a server lies is not known here."""
    if not settings.REQUIRE_SECOND_FACTOR or assignment.scope_kind in (ScopeKind.TAG, ScopeKind.SERVER):
        return False
    strict = {name for name, policy in settings.ENVIRONMENTS.items() if policy["second_factor"]}
    return bool(strict) if assignment.scope_kind == ScopeKind.ALL else assignment.scope_key in strict


def denied_tries() -> list[DeniedTries]:
    """Failed sign-ins of the last seven days, most first.

    Shape: at most 20 records. Units: counts, UTC moments. Cost: one query over a week of tries. Errors: none of its own.
    """
    since = timezone.now() - timedelta(days=DENIED_DAYS)
    tries = LoginTry.objects.filter(at__gt=since).exclude(outcome=Outcome.PASSED)
    groups = tries.values_list("address", "operator__username").annotate(
        failed=Count("pk"), refused=Sum("refused_count"), last=Max("at")
    )
    return [
        DeniedTries(address=address, username=name or "", failed_count=failed, refused_count=refused, last_at=last)
        for address, name, failed, refused, last in groups.order_by("-failed", "address")[:MOST_DENIED]
    ]


def role_table() -> list[RoleLine]:
    """The table of permissions in words. Shape: one line a permission. Cost: none. Errors: none."""
    return [RoleLine(permission=p, words=tuple(_words(p, role) for role in Role)) for p in TABLE.values()]


def _words(permission: Permission, role: Role) -> str:
    """One word where every environment is alike, else dev / staging / prod."""
    said = {
        Need.YES: "yes", Need.REASON: "a reason", Need.SUDO: "fresh sign-in", Need.TYPED: "the name typed",
        Need.APPROVAL: "a second person", Need.NO: "no",
    }  # fmt: skip
    if permission.key in ("own.account", "console.use"):
        return said[Need.YES]
    words = [said[permission.need(role, policy)] for policy in POLICIES]
    return words[0] if len(set(words)) == 1 else " / ".join(words)
