"""End one session: what it has open is rolled back, and its locks are let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.activity import session_plans, signalling
from apps.activity.identity import SessionRef
from apps.activity.reads.chosen import Chosen, behind, chosen
from apps.activity.refusing import CLIENT, calls_itself_own, check_may_be_told
from apps.engine.connections.postgres import postgres_node
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, Sentence, exactly, say
from apps.engine.errors import Gone
from apps.engine.target import Kind, Target

YOUNG_S = 10.0  # a busy session is in another transaction every moment; what it lost in less than this is little


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    session: str = param("Session", fixed=True, most_bytes=128)
    node: str = param("Node", fixed=True, default="")


class TerminateSession(Action[Params]):
    key = "activity.terminate_session"
    title = "End a session"
    verb = "End"
    icon = "x"
    kind = Kind.POSTGRES
    tier = Tier.T3
    permission = "sessions.end"
    feature = "activity.cancel"
    params = Params
    undo = NoUndo("What the session had not committed is rolled back by the server, and nobody has it any more.")
    never = "Any other session, also where the process id is another's by then; replication; the console's own."
    inline = True
    lost = "The session may have ended or not."

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one session and who waits behind it. Cost: two or three statements, below 10 ms.

        Errors: Gone where it ended; Refused for the console's own and for processes that serve no client; NotPermitted.
        Source: pg_stat_activity, pg_locks, pg_blocking_pids.
        """
        ref = _ref(params)
        with postgres_node(target.named(params.node)) as node:
            found = chosen(node, ref)
            check_may_be_told(found, target, kinds=(CLIENT,))
            waiting = behind(node, ref.pid)
        return Plan(
            effect=f"End session {ref.pid}",
            of=session_plans.names(found),
            keep="Leave it",
            figures=(
                Figure(label="Sessions ended", amount=exactly(1), note=say(_age(found)), grave=True),
                Figure(label="Locks on tables let go", amount=exactly(found.locks_count)),
                session_plans.freed_figure(waiting),
            ),
            facts=_facts(found),
            sample=session_plans.waiting_table(waiting),
            commands=session_plans.commands("pg_terminate_backend", ref, "backend_type = 'client backend'"),
            warnings=_warnings(found),
            most_count=1,
            observed=session_plans.observed(found, ref, waiting),
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        ref = _ref(params)
        try:
            with postgres_node(target.named(params.node)) as node:
                found = chosen(node, ref)
        except Gone as gone:
            return [session_plans.ended_check(ref, gone.message)]
        planned, now = plan.observed["written"], session_plans.written(found)
        no_worse = now in ("none", planned) or (found.transaction_s or 0) < YOUNG_S
        return [
            Check(label=f"The session {ref.pid}", planned="there", now="there", ok=True),
            Check(
                label="Changes that would be rolled back",
                planned=_since(planned),
                now=_since(now),
                ok=no_worse,
                words=f"Another transaction has made changes for over {YOUNG_S:.0f} s.",
            ),
        ]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        ref = _ref(params)
        waited_behind = int(plan.observed[session_plans.WAITING])
        with progress.postgres(timeout_s=10.0, address=target.named(params.node).address) as node:
            heard = signalling.terminate(node, ref, progress)
            outcome = _outcome(ref, heard)
            now = len(behind(node, ref.pid)) if waited_behind else 0
        progress.step(1, total_count=1)
        return Outcome(
            ending=outcome.ending,
            said=outcome.said,
            figures=session_plans.still_waiting(outcome, waited_behind, now),
            facts=outcome.facts,
        )


ACTION = TerminateSession()


def _ref(params: Params) -> SessionRef:
    return SessionRef.of(params.session).session


def _since(written: str) -> str:
    return "none" if written == "none" else f"those since {written}"


def _age(found: Chosen) -> str:
    return f"{found.state or 'busy'} for {session_plans.for_s(found.statement_s if found.runs else found.state_s)}"


def _facts(found: Chosen) -> tuple[Fact, ...]:
    return (
        Fact(label="It runs" if found.runs else "It ran last", words=session_plans.statement(found)),
        *session_plans.waits_for(found),
        Fact(label="Rolled back", words=_rolled_back(found), signal="warn" if found.is_written else ""),
        Fact(label="Its client", words=say("gets an error, and connects again if it is made that way")),
    )


def _rolled_back(found: Chosen) -> Sentence:
    if found.transaction_at is None:
        return say("nothing: it is in no transaction")
    since = session_plans.for_s(found.transaction_s)
    if found.is_written:
        return say(f"all changes of its transaction, begun {since} ago")
    return say(f"no change: its transaction, begun {since} ago, has made none that counts by now")


def _warnings(found: Chosen) -> tuple[Sentence, ...]:
    told = []
    if found.wait_event == "SyncRep":
        told.append("It is committed here and waits for a standby: ended, it counts, and the standby may not have it.")
    if calls_itself_own(found):
        told.append("It calls itself by this console's name, and signs in as another account.")
    return tuple(say(each) for each in told)


def _outcome(ref: SessionRef, heard: signalling.Heard) -> Outcome:
    if not heard.ended:
        return Outcome(
            ending=Ending.PARTIAL,
            said=say(f"Told session {ref.pid} to end; it is still there after {heard.waited_s:.0f} s."),
            facts=(
                Fact(
                    label="Why",
                    words=say(
                        "It is at a point that cannot be interrupted, or rolls much back: it ends when it comes out."
                    ),
                    signal="warn",
                ),
            ),
        )
    return Outcome(
        ending=Ending.DONE,
        said=say(f"Ended session {ref.pid}."),
        figures=(Figure(label="Sessions ended", amount=exactly(1), note=say("of 1 planned")),),
    )
