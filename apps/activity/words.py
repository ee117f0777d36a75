"""What a look at sessions or clients means, in a sentence: the headings of the pages. Pure."""

from __future__ import annotations

from apps.activity.reads.clients import Clients
from apps.activity.reads.sessions import Activity, Blocked
from apps.engine import units

IDLE_IN_TRANSACTION_LONG_S = 300
NEARLY_FULL_RATIO = 0.9
MANY_BLOCKED = 10


def _are(count: int, one: str, many: str) -> str:
    return f"One {one}" if count == 1 else f"{count:,} {many}"


def activity_heading(found: Activity) -> str:
    if found.waiting_count:
        return f"{_are(found.waiting_count, 'session waits', 'sessions wait')} for {_for_whom(found.roots)}"
    resting = [s.state_s for s in found.sessions if s.is_idle_in_transaction and s.state_s is not None]
    if resting and max(resting) >= IDLE_IN_TRANSACTION_LONG_S:
        return f"Nobody waits; a transaction has been idle for {units.duration_text(max(resting))}"
    return "Nobody waits"


def _for_whom(roots: tuple[Blocked, ...]) -> str:
    if len(roots) != 1:
        return f"{len(roots)} others" if roots else "each other"
    root = roots[0]
    if root.node.in_cycle:
        return "each other"
    if root.is_prepared:
        return "a prepared transaction"
    if root.session is None or root.session.state is None:
        return f"one session, {root.node.pid}"
    if root.session.is_idle_in_transaction:
        return "one idle transaction"
    return "one running statement" if root.session.state == "active" else "one idle session"


def clients_heading(found: Clients) -> str:
    if found.monitors:
        watching = _are(len(found.monitors), "client watches", "clients watch")
        return f"{watching} every command with MONITOR"
    if found.fill_ratio is not None and found.fill_ratio >= NEARLY_FULL_RATIO:
        return f"Clients take {units.share(found.fill_ratio)} % of the limit"
    if found.blocked_count > MANY_BLOCKED:
        return f"{found.blocked_count:,} of {len(found.clients):,} clients wait in a blocking command"
    return _are(len(found.clients), "client is connected", "clients are connected")
