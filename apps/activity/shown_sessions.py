"""Rows of sessions and sources as their templates put them down: what a cell says, and what stands in it at all, is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.activity.identity import SessionRef
from apps.activity.reads.sessions import Session, Source
from apps.activity.refusing import AUTOVACUUM, CLIENT, is_own
from apps.operations.buttons import RowButton
from apps.shell.templatetags.shell import count, dash, duration, name, sig
from apps.shell.templatetags.sqltext import sql
from apps.shell.templatetags.table_rows import NOTHING, class_of

LONG_S = 300
EMPTY_CELL = SafeString("<td></td>")
HIDDEN = SafeString('<span class="why-unknown" title="The account lacks pg_monitor.">hidden</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSession:
    """`whence` is the application, the client's address, and the kind of process where it is no client's."""

    pid: int
    account: SafeString
    whence: SafeString
    database: SafeString
    state: SafeString
    since: SafeString
    transaction: SafeString
    statement: SafeString
    wait: SafeString
    levers: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Levers:
    """What can be done to each session of a page. `own` are the console's accounts: its sessions have none."""

    cancel: RowButton
    end: RowButton
    own: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.cancel or self.end)

    def of(self, session: Session | None) -> SafeString:
        """The cell of one session; no cell where the operator can do none of it to any."""
        if not self:
            return NOTHING
        if session is None or session.begun_at is None or is_own(session, self.own):
            return EMPTY_CELL
        ref = SessionRef(pid=session.pid, begun_at=session.begun_at, statement_at=session.statement_at)
        runs = session.state == "active" and session.backend_type in (CLIENT, AUTOVACUUM)
        cancel = self.cancel.of(ref.text, session.pid) if runs else NOTHING
        end = self.end.of(ref.session.text, session.pid) if session.backend_type == CLIENT else NOTHING
        return SafeString(f'<td class="acts">{cancel}{end}</td>')


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSource:
    """Connections of one account, application, client and database."""

    edge: SafeString
    connections: SafeString
    account: SafeString
    application: SafeString
    client: SafeString
    database: SafeString
    active: SafeString
    idle_in_transaction: SafeString
    idle: SafeString


def shown_sessions(sessions: Iterable[Session], *, shows: bool, levers: Levers) -> list[ShownSession]:
    return [_session(session, shows=shows, levers=levers) for session in sessions]


def _session(session: Session, *, shows: bool, levers: Levers) -> ShownSession:
    transaction_s = session.transaction_s
    return ShownSession(
        pid=session.pid,
        account=name(session.account or "", 40),
        whence=_whence(session),
        database=name(session.database or "–", 40),
        state=_state(session),
        since=dash(None, "Nothing it began.") if session.for_s is None else duration(session.for_s),
        transaction=dash(None, "It is in no transaction.") if transaction_s is None else duration(transaction_s),
        statement=sql(session.text, shows),
        wait=dash(session.wait, "It waits for nothing."),
        levers=levers.of(session),
    )


def _whence(session: Session) -> SafeString:
    others = [session.client or "", "" if session.backend_type == "client backend" else session.backend_type or ""]
    said = "".join(f", {each}" for each in others if each)
    return format_html("{}{}", name(session.application or "", 40), said)


def _state(session: Session) -> SafeString:
    if session.is_hidden:
        return HIDDEN
    if session.is_idle_in_transaction:
        return sig("warn", session.state, quiet=True)
    if session.state == "active":
        return sig("ok", session.state, quiet=True)
    state = session.backend_type if session.state is None else session.state
    return format_html('<span class="ink-2">{}</span>', dash(state, "It serves no client."))


def shown_sources(sources: Iterable[Source]) -> list[ShownSource]:
    return [_source(source) for source in sources]


def _source(source: Source) -> ShownSource:
    return ShownSource(
        edge=class_of("edge-warn" if (source.longest_idle_in_transaction_s or 0) >= LONG_S else ""),
        connections=count(source.connections_count),
        account=name(source.account or "–", 60),
        application=name(source.application, 60) if source.application else dash(None, "It gave no name."),
        client=dash(source.client, "A unix socket, or hidden."),
        database=name(source.database or "–", 60),
        active=count(source.active_count),
        idle_in_transaction=_idle_in_transaction(source),
        idle=count(source.idle_count),
    )


def _idle_in_transaction(source: Source) -> SafeString:
    counted, longest_s = count(source.idle_in_transaction_count), source.longest_idle_in_transaction_s
    return counted if longest_s is None else format_html("{}, longest {}", counted, duration(longest_s))
