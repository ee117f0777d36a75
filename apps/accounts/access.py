"""Asks the table: may this operator do this here? One function for pages, lists, and (later) runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Prefetch
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.events import Kind, tell
from apps.accounts.factors import has_second_factor
from apps.accounts.freshness import is_fresh
from apps.accounts.models import Assignment, Operator, Role, ScopeKind
from apps.accounts.permissions import TABLE, Need
from apps.accounts.reasons import asks_reason, reason_in_force

UNMASK = "data.unmask"
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is done: the environment, tags and key of a server, as text."""

    environment: str
    key: str
    tags: frozenset[str] = field(default_factory=frozenset)

    @property
    def policy(self) -> str:
        return str(settings.ENVIRONMENTS.get(self.environment, {"policy": "prod"})["policy"])

    @property
    def second_factor(self) -> bool:
        """Whether this environment demands one; an environment that nobody declared is as strict as prod."""
        demanded = settings.ENVIRONMENTS.get(self.environment, {"second_factor": True})["second_factor"]
        return bool(settings.REQUIRE_SECOND_FACTOR and demanded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`visible` tells 404 from 403: what is outside every scope of an operator does not exist for them."""

    need: Need
    visible: bool
    roles: frozenset[Role]

    @property
    def allowed(self) -> bool:
        return self.need is not Need.NO


class Denied(Exception):
    """In scope, and not allowed. The 403 page says who can, and how to ask."""

    def __init__(self, permission: str, place: Place | None = None, *, message: str = "") -> None:
        super().__init__(message or f"{permission} is not allowed here")
        self.noted = False  # whether it was written down already
        self.permission = permission
        self.place = place
        self.message = message


class NeedsSecondFactor(Denied):
    """The role suffices; the environment demands a second factor that the operator has not set up."""


class NeedsReason(Denied):
    """Allowed once a reason is written. The answer is the form that asks it."""


class NeedsSudo(Denied):
    """Allowed after a fresh sign-in. The answer is the page that asks it, and then the same page again by GET."""


def assignments(operator: Operator) -> list[Assignment]:
    """What is in force for this operator now. Cost: one indexed query, once a request (kept on the operator object)."""
    kept: list[Assignment] | None = getattr(operator, "_assignments_in_force", None)
    if kept is None:
        kept = Assignment.objects.held_by(operator) if operator.may_sign_in else []
        operator._assignments_in_force = kept  # type: ignore[attr-defined]
    return kept


def covers(assignment: Assignment, place: Place) -> bool:
    match assignment.scope_kind:
        case ScopeKind.ALL:
            return True
        case ScopeKind.ENVIRONMENT:
            return assignment.scope_key == place.environment
        case ScopeKind.TAG:
            return assignment.scope_key in place.tags
        case _:
            return assignment.scope_key == place.key


def roles_at(operator: Operator, place: Place | None) -> frozenset[Role]:
    """The roles an operator holds at a place; without a place, those that hold everywhere (scope all)."""
    held = assignments(operator)
    if place is None:
        return frozenset([Role(a.role) for a in held if a.scope_kind == ScopeKind.ALL])
    return frozenset([Role(a.role) for a in held if covers(a, place)])


def decide(operator: Operator, permission: str, place: Place | None = None) -> Decision:
    """The easiest need among the operator's roles at a place. Errors: KeyError for a permission that is not in the table."""
    if permission in ("own.account", "console.use"):
        return Decision(need=Need.YES, visible=True, roles=frozenset())
    return _decided(permission, place.policy if place else "prod", roles_at(operator, place))


@lru_cache(maxsize=1024)
def _decided(permission: str, policy: str, roles: frozenset[Role]) -> Decision:
    """What the table says of roles held together. A page asks it of every section of every server."""
    needs = [TABLE[permission].need(role, policy) for role in roles]
    return Decision(need=min(needs, key=lambda need: need.rank, default=Need.NO), visible=bool(roles), roles=roles)


def who_may(permission: str, place: Place | None) -> list[Operator]:
    """The operators who could, for the 403 page. Cost: two queries."""
    in_force = Prefetch("assignments", Assignment.objects.in_force(), to_attr="_assignments_in_force")
    operators = Operator.objects.filter(is_active=True, locked_at=None).prefetch_related(in_force)
    return [o for o in operators if decide(o, permission, place).allowed]


def operator_of(request: HttpRequest) -> Operator:
    """The signed-in operator. Errors: Denied for an anonymous request."""
    user = request.user
    if not user.is_authenticated:
        raise Denied("console.use")
    return user


def declared(permission: str) -> Callable[[View], View]:
    """Mark a view with the permission it checks itself (server pages do, after they found the server)."""
    if permission not in TABLE:
        raise KeyError(f"{permission} is not in the permission table")

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Mark a view that answers without a sign-in. There are few, and a test lists them."""
    view.public = True  # type: ignore[attr-defined]
    return view


def console_page(permission: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """A page that is about no single server: checked against roles that hold everywhere."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(request, permission, None)
            return view(request, *args, **kwargs)

        return declared(permission)(guarded)

    return decorate


def permit(operator: Operator, permission: str, place: Place | None) -> Decision:
    """What the roles allow, whatever else is still to be brought. Cost: at most two indexed queries.

    Errors: Denied, NeedsSecondFactor.
    """
    decision = decide(operator, permission, place)
    if not decision.allowed:
        raise Denied(permission, place)
    if place and place.second_factor and not has_second_factor(operator):
        raise NeedsSecondFactor(permission, place, message=f"{place.environment} needs a second factor; set one up")
    return decision


def require(request: HttpRequest, permission: str, place: Place | None) -> Decision:
    """Everything a role has to bring before it may. Cost: at most three indexed queries.

    Whoever asks it of `data.unmask` is about to show data: that is written down, and nothing is shown where it cannot be.
    Errors: Denied, NeedsSecondFactor, NeedsReason, NeedsSudo. GuardMiddleware turns each into its page.
    """
    operator = operator_of(request)
    decision = permit(operator, permission, place)
    if decision.need.rank >= Need.SUDO.rank and not is_fresh(request):
        raise NeedsSudo(permission, place)
    if decision.need is not Need.YES and place and asks_reason(permission):
        _require_reason(operator, permission, place)
    if permission == UNMASK and place:
        tell(
            Kind.READ,
            UNMASK,
            actor=operator.username,
            server_key=place.key,
            environment=place.environment,
            request=request,
        )
    return decision


def _require_reason(operator: Operator, permission: str, place: Place) -> None:
    if reason_in_force(operator, permission, place.key) is None:
        raise NeedsReason(permission, place)
