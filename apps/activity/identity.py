"""How a session or a client is told from another that has its number by now: as a button carries it, and as a server compares it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.engine.errors import Gone
from apps.engine.target import Target

_MOMENT = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}) UTC"
_SESSION = re.compile(rf"(\d{{1,10}}) of {_MOMENT}(?:, statement of {_MOMENT})?", re.ASCII)
_CLIENT = re.compile(rb"(\d{1,18}) (.+)", re.DOTALL)


def moment_text(moment: datetime) -> str:
    """Exactly: servers keep times to the microsecond."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'microseconds')} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRef:
    """A session of PostgreSQL by its process and its beginning, and the statement in it by its own beginning.

    Process ids come again, within minutes on a busy machine; two sessions of one process never begin in the same microsecond.
    """

    pid: int
    begun_at: datetime
    statement_at: datetime | None = None

    @property
    def text(self) -> str:
        statement = f", statement of {moment_text(self.statement_at)}" if self.statement_at else ""
        return f"{self.pid} of {moment_text(self.begun_at)}{statement}"

    @property
    def session(self) -> SessionRef:
        """The session alone, whichever statement it runs."""
        return SessionRef(pid=self.pid, begun_at=self.begun_at)

    @classmethod
    def of(cls, text: str) -> SessionRef:
        """Errors: Gone for what names no session."""
        match = _SESSION.fullmatch(text)
        if match is None:
            raise Gone("This names no session.", way_out="Choose it again under Activity.")
        pid, begun, statement = match.groups()
        return cls(pid=int(pid), begun_at=_moment(begun), statement_at=_moment(statement) if statement else None)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise Gone("This names no session.", way_out="Choose it again under Activity.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRef:
    """A client of Redis by its number, which never comes again while the server lives, and by its address."""

    id: int
    address: bytes

    @property
    def text(self) -> bytes:
        return b"%d %b" % (self.id, self.address)

    @classmethod
    def of(cls, text: bytes) -> ClientRef:
        """Errors: Gone for what names no client."""
        match = _CLIENT.fullmatch(text)
        if match is None:
            raise Gone("This names no client.", way_out="Choose it again under Clients.")
        return cls(id=int(match[1]), address=match[2])


def own_users(target: Target) -> frozenset[bytes]:
    """The console's users on a Redis. Anybody may take its name; what it signed in as tells it."""
    return frozenset(account.encode() or b"default" for account in target.accounts)
