"""From the button to the end of a run: submitted once, claimed once, watched, and closed by one transaction with its audit."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import current_thread

import structlog
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from apps.engine.contracts.action import AnyAction, Cancelled, Moved, Refused, Stopped
from apps.engine.contracts.plan import Ending, Outcome, Sentence, say
from apps.engine.errors import EngineError, TimedOut, Unreachable
from apps.operations import audit, guard, locks, telling
from apps.operations.actor import Actor
from apps.operations.catalogue import action_for
from apps.operations.guard import Given
from apps.operations.models import Plan, Run
from apps.operations.models.audit import Phase
from apps.operations.models.plans import PlanState
from apps.operations.models.runs import RunState
from apps.operations.planning import content_of, digest_of
from apps.operations.progress import RunProgress
from apps.operations.publishing import publish_run
from apps.operations.stored import params_from_json, params_shown, to_json
from apps.operations.undoing import UndoAction
from apps.servers.models import Server

log = structlog.get_logger(__name__)


class NotMet(Exception):
    """Something that the environment asks for was not brought. The page shows what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    run: Run
    is_new: bool


# -- submit ------------------------------------------------------------------------------------------------------------


def submit(actor: Actor, plan: Plan, given: Given) -> Submission:
    """The run of a plan: made now, or the one that it became before (a second click, the back button, a browser that repeats).

    Errors: Denied, NeedsSecondFactor, TooManyTries; Refused where the plan ended or a freeze came; NotMet. The intent is in the
    audit in the same transaction as the run; what was denied is written down by the caller.
    """
    if existing := Run.objects.filter(plan=plan).first():
        return Submission(run=existing, is_new=False)
    server = plan.server
    if server is None:
        raise Refused("The server is not registered any more.")
    action = action_for(plan.action, kind=server.kind)
    need = guard.check_may_plan(actor.operator, action, server)
    _check_plan(actor, plan, server)
    asked = guard.demands(need, actor=actor, plan=plan, server=server, action=action, given=given)
    if any(not demand.met for demand in asked):
        raise NotMet
    try:
        run = _create(actor, plan, action, given, single_person=guard.is_single_person(asked))
    except IntegrityError:
        twin = Run.objects.filter(plan=plan).first()
        if twin is None:  # not a second press: something of the run itself could not be written
            raise
        return Submission(run=twin, is_new=False)
    return Submission(run=run, is_new=True)


def _check_plan(actor: Actor, plan: Plan, server: Server) -> None:
    if plan.operator_id != actor.operator.pk or plan.session_hash != actor.session:
        raise Refused("This plan was made in another session.", way_out="Plan it again.")
    if not plan.is_open:
        raise Refused("This plan has ended.", way_out="Plan it again.")
    if plan.digest != digest_of(plan, server):
        raise Refused("The server or the policy was changed since this plan was made.", way_out="Plan it again.")
    if content_of(plan).blocked:
        raise Refused("There is nothing that this plan could do.")


@transaction.atomic
def _create(actor: Actor, plan: Plan, action: AnyAction, given: Given, *, single_person: bool) -> Run:
    """Errors: IntegrityError when the plan became a run in the same moment."""
    claimed = Plan.objects.filter(pk=plan.pk, state=PlanState.READY).update(state=PlanState.USED)
    if not claimed:
        raise IntegrityError("the plan was used")
    content = content_of(plan)
    now = timezone.now()
    run = Run.objects.create(
        plan=plan,
        action=plan.action,
        operator=actor.operator,
        server=plan.server,
        server_key=plan.server_key,
        environment=plan.environment,
        reason=given.reason[: guard.LONGEST_REASON],
        effect=content.effect[:200],
        inline=action.inline and not single_person,
        queue=action.queue,
        single_person=single_person,
        undoes_id=_undone(action, plan),
        created_at=now,
        not_before=now + guard.DELAY if single_person else now,
        total_count=content.most_count,
        request_id=actor.request_id,
    )
    _audit_intent(actor, run, action)
    transaction.on_commit(lambda: _start(run))
    return run


def _undone(action: AnyAction, plan: Plan) -> int | None:
    if not isinstance(action, UndoAction):
        return None
    return int(params_from_json(action, plan.params, sealed_to=plan.sealed_to).run)


def _audit_intent(actor: Actor, run: Run, action: AnyAction) -> None:
    plan = run.plan
    approval = getattr(plan, "approval", None)
    audit.append(
        Phase.INTENT, actor=actor.name, action=run.action, server_key=run.server_key, environment=run.environment,
        run_number=run.pk, result="queued", reason=run.reason, effect=run.effect, plan=str(plan.uid), digest=plan.digest,
        tier=int(action.tier), params=_shown_params(action, plan), who=actor.facts(run.server), single_person=run.single_person,
        agreed=approval.answered_by.username if approval and approval.answered_by else "",
    )  # fmt: skip


def _shown_params(action: AnyAction, plan: Plan) -> dict[str, str]:
    return {
        label: value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
        for label, value, _ in params_shown(action, plan.params)
    }


def _start(run: Run) -> None:
    """Inline runs at once, in this request; the others as soon as a worker is free."""
    if run.inline:
        execute(run.pk)
    elif run.not_before <= timezone.now():
        publish_run(run)


# -- execute -----------------------------------------------------------------------------------------------------------


def execute(pk: int) -> None:
    """One try of a run, from the claim to its end. Nothing when the run is not waiting, or not yet due. Never raises for the run."""
    run = _claimed(pk)
    if run is None:
        return
    with structlog.contextvars.bound_contextvars(request_id=run.request_id, run=run.pk):
        try:
            action = action_for(run.action)
            guard.check_may_begin(run, action)
        except EngineError as error:
            _refuse(run, error)
            return
        if action.exclusive and not locks.take(run):
            _wait_for_lock(run)
            return
        _carry_out(run, action)


def _claimed(pk: int) -> Run | None:
    """Ours alone from here on: the token says so."""
    token, now = secrets.token_hex(16), timezone.now()
    claimed = Run.objects.filter(pk=pk, state=RunState.QUEUED, not_before__lte=now).update(
        state=RunState.RUNNING, token=token, worker=_worker(), heartbeat_at=now
    )
    if not claimed:
        return None
    run = Run.objects.select_related("plan", "server", "operator").get(pk=pk)
    run.tries_count += 1
    run.started_at = run.started_at or now
    deadline_s = _deadline_s(run.action)
    run.deadline_at = run.deadline_at or now + timedelta(seconds=deadline_s)
    run.save(update_fields=["tries_count", "started_at", "deadline_at"])
    return run


def _deadline_s(key: str) -> float:
    with suppress(EngineError):
        return action_for(key).deadline_s
    return 30.0


def _worker() -> str:
    return f"{socket.gethostname()}:{current_thread().name}"[:120]


def _wait_for_lock(run: Run) -> None:
    """Back into the queue: it is published again when the other run has ended."""
    other = locks.holder(run)
    note = f"waits for run {other.pk} on {run.server_key}" if other else f"waits for {run.server_key}"
    Run.objects.filter(pk=run.pk, token=run.token).update(
        state=RunState.QUEUED, token="", note=note, published_at=None, tries_count=run.tries_count - 1
    )


def _carry_out(run: Run, action: AnyAction) -> None:
    server = run.server
    assert server is not None
    progress: RunProgress | None = None
    try:
        telling.run_began(run, title=action.title)
        target = server.target(action.profile)
        progress = RunProgress(run, target, exclusive=action.exclusive, budget_ratio=server.load_budget_ratio)
        outcome = _outcome(run, action, progress, target)
    except EngineError as error:  # before it began: a secret that is unusable, an archive that is broken
        outcome = Outcome(ending=Ending.FAILED, said=_sentence(error))
    except DatabaseError:
        log.exception("the console's database failed a run")
        _leave(progress)
        return
    except Exception:
        log.exception("run failed", action=run.action)
        outcome = Outcome(
            ending=Ending.UNKNOWN if progress and progress.touched else Ending.FAILED,
            said=say("The console made a mistake; its log says more."),
        )
    if progress is not None:
        progress.end()
    _finish(run, action, progress, outcome)


def _leave(progress: RunProgress | None) -> None:
    """Stop here and write nothing down: the reaper finds the run when the console's database is there again."""
    if progress is not None:
        progress.end()
        with suppress(DatabaseError):
            progress.close_archive(whole=False)


def _outcome(run: Run, action: AnyAction, progress: RunProgress, target: object) -> Outcome:
    plan = content_of(run.plan)
    progress.begin()
    try:
        params = params_from_json(action, run.plan.params, sealed_to=run.plan.sealed_to)
        if not run.checkpoint:
            _check_moved(action, target, params, plan)
        return action.run(target, params, plan=plan, progress=progress)  # type: ignore[arg-type]
    except EngineError as error:
        return _ended_by(error, progress)


def _check_moved(action: AnyAction, target: object, params: object, plan: object) -> None:
    moved = [c for c in action.checks(target, params, plan=plan) if not c.ok]  # type: ignore[arg-type]
    if moved:
        first = moved[0]
        raise Moved(
            f"{first.label}: planned with {first.planned}, now {first.now}. Nothing was done.", way_out="Plan it again."
        )


def _ended_by(error: EngineError, progress: RunProgress) -> Outcome:
    """How a run ended that raised. What was counted as done stands; a step that was never answered may have happened."""
    said = _sentence(error)
    if isinstance(error, Cancelled):
        return Outcome(ending=Ending.CANCELLED, said=said)
    if progress.done_count:
        return Outcome(ending=Ending.PARTIAL, said=said)
    if isinstance(error, Stopped | Refused) or not progress.touched:
        return Outcome(ending=Ending.FAILED, said=said)
    lost = isinstance(error, Unreachable | TimedOut)
    return Outcome(ending=Ending.UNKNOWN if lost else Ending.FAILED, said=said)


def _sentence(error: EngineError) -> Sentence:
    missing = getattr(error, "missing", "")
    return say(" ".join(filter(None, [error.message, f"It lacks {missing}." if missing else "", error.way_out])))


# -- finish ------------------------------------------------------------------------------------------------------------


def _finish(run: Run, action: AnyAction, progress: RunProgress | None, outcome: Outcome) -> None:
    """One transaction: the end of the run, its audit, and whom to tell. Nothing when the run is not ours any more."""
    if progress is not None:
        progress.close_archive(whole=not progress.was_fenced)
    if progress is not None and progress.was_fenced:
        log.warning("run fenced off", run=run.pk)
        return
    figures = progress.figures() if progress is not None else {}
    token = run.token
    close(run, outcome, **figures)
    if action.exclusive:
        locks.give_back(token)


def close(run: Run, outcome: Outcome, **figures: object) -> bool:
    """The end of a run, whoever says it. False when somebody else had it by then."""
    with transaction.atomic():
        ended = Run.objects.filter(pk=run.pk, token=run.token, state=RunState.RUNNING).update(
            **{
                **figures,
                "state": outcome.ending.value,
                "outcome": to_json(outcome),
                "finished_at": timezone.now(),
                "token": "",
            }
        )
        if not ended:
            return False
        run.refresh_from_db()
        _audit_outcome(run, outcome)
        telling.run_ended(run, outcome)
        telling.mark_ended(run, outcome)
    log.info("run ended", run=run.pk, action=run.action, outcome=outcome.ending.value, done_count=run.done_count)
    return True


def _audit_outcome(run: Run, outcome: Outcome) -> None:
    took = run.took
    audit.append(
        Phase.OUTCOME, actor=run.operator.username, action=run.action, server_key=run.server_key,
        environment=run.environment, run_number=run.pk, result=outcome.ending.value, effect=run.effect,
        done=run.done_count, said=telling.plain(outcome.said), took_s=round(took.total_seconds(), 3) if took else None,
        request=run.request_id,
    )  # fmt: skip


def _refuse(run: Run, error: EngineError) -> None:
    """The worker's guard said no: nothing was done, and that is written down as a denied try as well."""
    with transaction.atomic():
        audit.append(
            Phase.DENIED, actor=run.operator.username, action=run.action, server_key=run.server_key,
            environment=run.environment, run_number=run.pk, result="denied", why=error.message, at_guard="worker",
        )  # fmt: skip
        close(run, Outcome(ending=Ending.FAILED, said=say(f"Not begun: {error.message}")))


# -- stop --------------------------------------------------------------------------------------------------------------


def ask_to_stop(run: Run, *, by: Actor) -> str:
    """Stop a run after its present step, or before it began. Returns what follows, as a sentence."""
    now = timezone.now()
    with transaction.atomic():
        token = secrets.token_hex(16)
        waiting = Run.objects.filter(pk=run.pk, state=RunState.QUEUED)
        if waiting.update(state=RunState.RUNNING, token=token, stop_asked_at=now, stop_asked_by=by.name):
            run.refresh_from_db()
            close(run, Outcome(ending=Ending.CANCELLED, said=say(f"Cancelled by {by.name} before it began.")))
            return "Cancelled: nothing was done."
        Run.objects.filter(pk=run.pk, state=RunState.RUNNING, stop_asked_at=None).update(
            stop_asked_at=now, stop_asked_by=by.name
        )
    return "It stops after its present step."
