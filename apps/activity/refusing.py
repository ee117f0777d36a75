"""Which sessions are neither cancelled nor ended from here, each with the reason and what to do instead."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Protocol

from apps.activity.reads.chosen import Chosen
from apps.engine.contracts.action import Refused
from apps.engine.errors import NotPermitted
from apps.engine.target import Target

CLIENT, AUTOVACUUM = "client backend", "autovacuum worker"
_OWN_NAME = re.compile(r"signalbox(?: run (\d+))?")
_INSTEAD = {
    "walsender": "It sends the write-ahead log to a standby or a backup, which would fall behind and connect again.",
    "parallel worker": "It works for another session: choose that one.",
}


def check_may_be_told(found: Chosen, target: Target, *, kinds: tuple[str, ...]) -> None:
    """Errors: Refused for the console's own sessions and processes of other kinds; NotPermitted with the grant that is missing."""
    if found.is_hidden:
        raise NotPermitted(
            "This account may not see whose session it is, so it cannot be told from another.",
            missing=f"GRANT pg_monitor TO {quoted(found.own_account)};",
        )
    if found.is_this or is_own(found, {*target.accounts, found.own_account}):
        raise Refused("It is a session of this console.", way_out=_stop_the_run(found))
    if found.backend_type not in kinds:
        what = found.backend_type or "process"
        raise Refused(f"{found.pid} serves no client: it is a {what}.", way_out=_INSTEAD.get(what, ""))
    if not found.may_signal:
        raise _not_permitted(found)


class HasName(Protocol):
    """A session, by what it calls itself and whose it is."""

    @property
    def application(self) -> str | None: ...

    @property
    def account(self) -> str | None: ...


def is_own(session: HasName, accounts: Collection[str]) -> bool:
    """Whether this console opened it. Anybody may take its name, so the account has to be one of the console's too."""
    return session.account in accounts and calls_itself_own(session)


def calls_itself_own(session: HasName) -> bool:
    return _OWN_NAME.fullmatch(session.application or "") is not None


def _stop_the_run(found: Chosen) -> str:
    match = _OWN_NAME.fullmatch(found.application or "")
    return f"Stop run {match[1]} on its own page." if match and match[1] else "It ends by itself within a moment."


def _not_permitted(found: Chosen) -> NotPermitted:
    if found.is_superuser:
        return NotPermitted(
            f"{found.pid} belongs to the superuser {found.account}, and pg_signal_backend does not reach superusers.",
            way_out="Whoever is superuser on the server can do it there.",
        )
    if found.backend_type == AUTOVACUUM:
        return NotPermitted(
            "Autovacuum belongs to the server: only a superuser reaches it, or, from PostgreSQL 18 on, this role.",
            missing=f"GRANT pg_signal_autovacuum_worker TO {quoted(found.own_account)};",
        )
    return NotPermitted(
        f"This account may not end what {found.account} runs.",
        missing=f"GRANT pg_signal_backend TO {quoted(found.own_account)};",
    )


def quoted(name: str) -> str:
    """An identifier as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'
