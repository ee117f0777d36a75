"""What the five actions on users share: how they are declared, what their plans rest on, and how they are carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, ClassVar, Protocol, TypeVar

from apps.acl import applying
from apps.acl.applying import Change, Job
from apps.acl.nodes import look
from apps.acl.restoring import RestoreUser
from apps.engine.contracts.action import Action, Progress, Tier
from apps.engine.contracts.plan import Check, Outcome, Plan, Sentence
from apps.engine.target import Kind, Profile, Target


class HasUser(Protocol):
    """What the parameters of each of them have."""

    @property
    def name(self) -> bytes: ...

    @property
    def without_missing(self) -> bool: ...


Params = TypeVar("Params", bound=HasUser)


class ChangesUser(Action[Params]):
    """An action on one user, on every registered node. Inline: it has to work while the broker is down."""

    kind = Kind.REDIS
    tier = Tier.T4
    permission = "acl.change"
    feature = "acl.change"
    profile = Profile.ADMIN
    undo = RestoreUser()
    never = "Any other user; the console's own; and no file but the node's own file of users."
    inline = True
    deadline_s = 40.0
    grave: ClassVar[bool] = False

    @property
    def is_grave(self) -> bool:
        return self.grave

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        """Whether the user is on each node what it was when it was planned. Cost: three round trips a node."""
        nodes = look(target, name=params.name, without_missing=params.without_missing)
        planned = {label: mark for label, mark in plan.observed.items() if label.startswith("user at ")}
        now = applying.marks(nodes)
        return [
            Check(
                label=f"The {label}",
                planned=planned[label][:8] or "none",
                now=now[label][:8] or "none",
                ok=planned[label] == now[label],
                words="by a keyed digest of its rules and passwords",
            )
            for label in planned
            if label in now
        ]

    def carried_out(
        self,
        target: Target,
        params: Params,
        *,
        plan: Plan,
        progress: Progress,
        change: Change,
        said: Sentence,
        **meant: Any,
    ) -> Outcome:
        """On every node in turn; see applying."""
        job = Job(name=params.name, marks=plan.observed, change=change, without_missing=params.without_missing, **meant)
        done = applying.carry_out(target, job, progress)
        return applying.outcome(done, said, name=params.name, disconnect=job.disconnect)


def with_hash(params: Any) -> Any:
    """The parameters with the hash of the password in its place: the password itself is kept nowhere."""
    if not params.password:
        return params
    return replace(params, password="#" + sha256(params.password.encode("utf-8", "surrogatepass")).hexdigest())
