"""The signal to a session, sent in the statement that compares whose it is, and a look at whether it was heard."""

from __future__ import annotations

import time
from dataclasses import dataclass

from apps.activity.identity import SessionRef
from apps.activity.reads.sessions import SQL
from apps.engine.connections.postgres import PostgresNode
from apps.engine.contracts.action import Progress
from apps.engine.errors import Gone
from apps.engine.files import sql_text

LONGEST_WAIT_S = 2.0
LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was seen after the signal. `state` is the session's, None where it is gone; `waited_s` until then."""

    ended: bool
    state: str | None
    waited_s: float


def cancel(node: PostgresNode, ref: SessionRef, progress: Progress) -> Heard:
    """Errors: Gone where the statement ended before, NotPermitted, Stopped."""
    _send(node, "cancel", ref, progress, gone=f"What {ref.pid} ran has ended by itself. Nothing was cancelled.")
    return _look(node, ref)


def terminate(node: PostgresNode, ref: SessionRef, progress: Progress) -> Heard:
    """Errors: Gone where the session ended before, NotPermitted, Stopped."""
    _send(node, "terminate", ref, progress, gone=f"The session {ref.pid} has ended by itself. Nothing was ended.")
    return _look(node, ref)


def _send(node: PostgresNode, statement: str, ref: SessionRef, progress: Progress, *, gone: str) -> None:
    progress.check()
    rows = node.rows(sql_text(SQL, statement, major=node.version), _parameters(ref))
    if not rows or not rows[0][0]:
        raise Gone(gone)


def _look(node: PostgresNode, ref: SessionRef) -> Heard:
    """Bounded: a process that cannot be interrupted where it is hears the signal later, or never."""
    begun = time.monotonic()
    while True:
        rows = node.rows(sql_text(SQL, "still", major=node.version), _parameters(ref))
        waited_s = time.monotonic() - begun
        runs, state = rows[0] if rows else (False, None)
        ended = not runs if ref.statement_at else not rows
        if ended or waited_s >= LONGEST_WAIT_S:
            return Heard(ended=ended, state=state, waited_s=waited_s)
        time.sleep(LOOK_EVERY_S)


def _parameters(ref: SessionRef) -> dict[str, object]:
    return {"pid": ref.pid, "begun_at": ref.begun_at, "statement_at": ref.statement_at}
