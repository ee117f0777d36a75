"""What can go wrong between the console and a server, each with a sentence for the person who has to act.

Every error carries `message` (what happened), and `way_out` (what to do about it, may be empty). No error text ever holds a
secret: messages are built from addresses and from the server's own answer, which never repeats a password.
"""

from __future__ import annotations


class EngineError(Exception):
    """The root. `kind` is the stable word that is stored, shown and filtered by."""

    kind = "failed"

    def __init__(self, message: str, *, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out


class Unreachable(EngineError):
    """Nothing answers at the address: refused, no route, closed while connecting."""

    kind = "unreachable"


class NameNotResolved(Unreachable):
    """The host name has no address."""

    kind = "name"


class TimedOut(Unreachable):
    """The server accepted the connection or the question and did not answer in time."""

    kind = "timeout"


class AddressRefused(EngineError):
    """The console's own address policy does not allow this address."""

    kind = "address"


class TLSFailed(EngineError):
    """The encrypted channel could not be set up: certificate, name or protocol."""

    kind = "tls"


class AuthenticationFailed(EngineError):
    """The server knows us not: wrong user or password, or a password is missing."""

    kind = "authentication"


class NotPermitted(EngineError):
    """The account is known, and may not do this. `missing` is the rule or grant that would allow it."""

    kind = "permission"

    def __init__(self, message: str, *, missing: str = "", way_out: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.missing = missing


class WrongKind(EngineError):
    """Something else than the registered kind of server answers at the address."""

    kind = "wrong-kind"


class TooOld(EngineError):
    """The server's version is below what the console supports."""

    kind = "too-old"


class Unsupported(EngineError):
    """The server has no such command, view or extension (version, fork or managed service)."""

    kind = "unsupported"


class Busy(EngineError):
    """The server is up and cannot serve now: loading its data, starting up, out of connections or of memory."""

    kind = "busy"


class OutOfMemory(Busy):
    """A Redis at its maxmemory refuses what might need more: most writes, and everything within a transaction."""

    kind = "memory"


class Gone(EngineError):
    """The thing that was asked for (key, session, table) is not there any more."""

    kind = "gone"


class CommandFailed(EngineError):
    """The server understood and refused for another reason; the message is its own, shortened."""

    kind = "command"


class SecretUnusable(EngineError):
    """The stored secret cannot be read: it belongs to another address, row or key."""

    kind = "secret"
