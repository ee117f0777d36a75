"""The undo of a run as an action of its own: planned, guarded, run and written down like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.engine.contracts.action import Action, AnyAction, NoUndo, Planning, Progress, Refused, Undo
from apps.engine.contracts.archive import Originals
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Outcome, Plan, say
from apps.engine.target import Target
from apps.operations.archives import originals_of
from apps.operations.models import Run
from apps.operations.stored import params_from_json

SUFFIX = ".undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoParams:
    run: int = param("Run", fixed=True)
    only: str = param(
        "Only names like", default="", mono=True, help="A pattern such as cart:1*; everything where it is empty."
    )


class UndoAction(Action[UndoParams]):
    """Puts back what the runs of one action changed."""

    params = UndoParams
    undo = NoUndo("An undo is not undone: plan the action again.")
    icon = "arrow-back-up"

    def __init__(self, base: AnyAction) -> None:
        if isinstance(base.undo, NoUndo):
            raise TypeError(f"{base.key} has no undo")
        self.base = base
        self.key = f"{base.key}{SUFFIX}"  # type: ignore[misc]  # these are of one object, not of its class
        self.title = f"Undo: {base.title.lower()}"  # type: ignore[misc]
        self.verb = "Plan the undo"  # type: ignore[misc]
        self.never = "Anything that exists by now is overwritten only where the plan says so."  # type: ignore[misc]
        for name in ("kind", "tier", "permission", "feature", "profile", "inline", "queue", "deadline_s"):
            setattr(self, name, getattr(base, name))
        self.exclusive, self.resumable = base.exclusive, False  # type: ignore[misc]

    @property
    def is_grave(self) -> bool:
        return False

    @property
    def _how(self) -> Undo[Any]:
        assert not isinstance(self.base.undo, NoUndo)
        return self.base.undo

    def _run_of(self, target: Target, params: UndoParams) -> tuple[Run, Any, Originals]:
        """The run to undo, its parameters and what it kept. Errors: Refused."""
        run = Run.objects.select_related("plan", "server").filter(pk=params.run, action=self.base.key).first()
        if run is None or run.server is None or run.server.key != target.id:
            raise Refused("There is no such run on this server.")
        if run.is_open:
            raise Refused("The run goes on.", way_out="Wait until it has ended, or stop it.")
        kept = originals_of(run)
        if kept is None:
            raise Refused("This run kept nothing: it changed nothing, or was run without an archive.")
        return run, params_from_json(self.base, run.plan.params, sealed_to=run.plan.sealed_to), kept

    def plan(self, target: Target, params: UndoParams, *, planning: Planning) -> Plan:
        _, before, kept = self._run_of(target, params)
        return self._how.plan(target, before, originals=kept, only=params.only.encode(), planning=planning)

    def run(self, target: Target, params: UndoParams, *, plan: Plan, progress: Progress) -> Outcome:
        _, before, kept = self._run_of(target, params)
        outcome = self._how.run(target, before, originals=kept, only=params.only.encode(), plan=plan, progress=progress)
        return outcome if outcome.said else Outcome(ending=outcome.ending, said=say("Put back."))
