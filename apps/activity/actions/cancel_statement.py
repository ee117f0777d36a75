"""Cancel what one session runs; the session stays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.activity import session_plans, signalling
from apps.activity.identity import SessionRef
from apps.activity.reads.chosen import Chosen, behind, chosen
from apps.activity.refusing import AUTOVACUUM, CLIENT, calls_itself_own, check_may_be_told
from apps.engine.connections.postgres import postgres_node
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, Sentence, exactly, say
from apps.engine.errors import Gone
from apps.engine.target import Kind, Target

_CONCURRENTLY = re.compile(r"\b(?:CREATE\s+(?:UNIQUE\s+)?INDEX|REINDEX)\b.*\bCONCURRENTLY\b", re.I | re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    session: str = param("Session", fixed=True, most_bytes=128)
    node: str = param("Node", fixed=True, default="")


class CancelStatement(Action[Params]):
    key = "activity.cancel_statement"
    title = "Cancel a statement"
    verb = "Cancel"
    icon = "player-stop"
    kind = Kind.POSTGRES
    tier = Tier.T2
    permission = "statements.cancel"
    feature = "activity.cancel"
    params = Params
    undo = NoUndo("What a statement had done until it was cancelled is rolled back by the server; it can be run again.")
    never = (
        "Any other statement, also where the process id is another's by then; the session itself; the console's own."
    )
    inline = True
    lost = "What it was told to cancel may run on or not."

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one session and who waits behind it. Cost: two or three statements, below 10 ms.

        Errors: Gone where it ended; Refused for the console's own and for processes that serve no client; NotPermitted.
        Source: pg_stat_activity, pg_locks, pg_blocking_pids.
        """
        ref = SessionRef.of(params.session)
        with postgres_node(target.named(params.node)) as node:
            found = chosen(node, ref)
            check_may_be_told(found, target, kinds=(CLIENT, AUTOVACUUM))
            waiting = behind(node, ref.pid)
        blocked = _why_not(found, ref)
        return Plan(
            effect=f"Cancel the statement of {ref.pid}",
            of=session_plans.names(found),
            keep="Let it run",
            figures=(
                Figure(
                    label="Statements cancelled",
                    amount=exactly(0 if blocked else 1),
                    note=say(f"runs for {session_plans.for_s(found.statement_s)}" if found.runs else "it runs none"),
                ),
                session_plans.freed_figure(waiting),
            ),
            facts=_facts(found),
            sample=session_plans.waiting_table(waiting),
            commands=session_plans.commands(
                "pg_cancel_backend", ref, f"query_start = '{ref.statement_at}'", "state = 'active'"
            ),
            warnings=_warnings(found),
            most_count=1,
            observed=session_plans.observed(found, ref, waiting),
            blocked=blocked,
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        ref = SessionRef.of(params.session)
        try:
            with postgres_node(target.named(params.node)) as node:
                found = chosen(node, ref)
        except Gone as gone:
            return [session_plans.ended_check(ref, gone.message)]
        same = found.runs and found.statement_at == ref.statement_at
        now = "the same" if same else "another" if found.runs else "none"
        return [Check(label=f"The statement of {ref.pid}", planned="the same", now=now, ok=same)]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        ref = SessionRef.of(params.session)
        waited_behind = int(plan.observed[session_plans.WAITING])
        with progress.postgres(timeout_s=10.0, address=target.named(params.node).address) as node:
            heard = signalling.cancel(node, ref, progress)
            outcome = _outcome(ref, heard)
            now = len(behind(node, ref.pid)) if waited_behind else 0
        progress.step(1, total_count=1)
        return Outcome(
            ending=outcome.ending,
            said=outcome.said,
            figures=session_plans.still_waiting(outcome, waited_behind, now),
            facts=outcome.facts,
        )


ACTION = CancelStatement()


def _why_not(found: Chosen, ref: SessionRef) -> Sentence:
    """Where there is nothing to cancel, and what would help instead."""
    if not found.runs:
        helps = " Only the end of the session ends its transaction." if found.transaction_at else ""
        return say(f"It runs no statement now, so there is nothing to cancel.{helps}")
    if found.statement_at != ref.statement_at:
        return say("It runs another statement by now than the one that was chosen.")
    return ()


def _facts(found: Chosen) -> tuple[Fact, ...]:
    return (
        Fact(label="It runs", words=session_plans.statement(found)),
        *session_plans.waits_for(found),
        Fact(label="Rolled back", words=_rolled_back(found), signal="warn" if found.is_in_transaction else ""),
        Fact(label="The session", words=say("stays connected, and gets an error for this statement")),
    )


def _rolled_back(found: Chosen) -> Sentence:
    if not found.is_in_transaction:
        return say("this statement alone")
    since = session_plans.for_s(found.transaction_s)
    return say(f"the whole transaction, begun {since} ago, or back to its last savepoint")


def _warnings(found: Chosen) -> tuple[Sentence, ...]:
    text = found.text or ""
    told = []
    if found.backend_type == AUTOVACUUM and "to prevent wraparound" in text:
        told.append(
            "This vacuum keeps transaction ids from running out: it begins again by itself, and has to end some day."
        )
    if _CONCURRENTLY.search(text):
        told.append("Cancelled, it leaves an invalid index behind, which slows writes down until it is dropped.")
    if found.wait_event == "SyncRep":
        told.append(
            "It is committed here and waits for a standby: cancelled, it counts, and the standby may not have it."
        )
    if calls_itself_own(found):
        told.append("It calls itself by this console's name, and signs in as another account.")
    return tuple(say(each) for each in told)


def _outcome(ref: SessionRef, heard: signalling.Heard) -> Outcome:
    if not heard.ended:
        return Outcome(
            ending=Ending.PARTIAL,
            said=say(f"Told {ref.pid} to cancel its statement; it runs on after {heard.waited_s:.0f} s."),
            facts=(
                Fact(
                    label="Why",
                    words=say("It is at a point that cannot be interrupted, or caught the cancellation and goes on."),
                    signal="warn",
                ),
                Fact(label="What helps", words=say("End the session, where that is worth it.")),
            ),
        )
    state = "has ended as well" if heard.state is None else f"is {heard.state}"
    return Outcome(
        ending=Ending.DONE,
        said=say(f"Cancelled the statement of {ref.pid}."),
        figures=(Figure(label="Statements cancelled", amount=exactly(1), note=say("of 1 planned")),),
        facts=(Fact(label="The session", words=say(state)),),
    )
