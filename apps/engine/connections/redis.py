"""One connection to one Redis node: bytes in, bytes out, errors in the engine's words.

The driver's command layer is left aside on purpose: its callbacks decode names and guess shapes, while keys and members are
bytes here from end to end. Its connection layer does what is hard: TLS, AUTH, SELECT, framing.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import hiredis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry

from apps.engine import errors
from apps.engine.connections import redis_wire
from apps.engine.connections.addresses import IP, resolve
from apps.engine.connections.command_names import Argument, Command, rule_of, shown
from apps.engine.connections.idle import IdleConnections
from apps.engine.connections.recorder import Recorder
from apps.engine.connections.tls import certificate_files, tls_failure
from apps.engine.target import Address, Target

__all__ = ["Argument", "Command", "RedisNode", "Reply", "forget_connections", "redis_node", "rule_of", "translated"]

# What RESP2 can carry: bytes, int, None, or a list of these.
Reply: TypeAlias = Any

CLIENT_NAME = "signalbox"
# Replies that are no error and hold none: nearly all are, and then nothing has to be looked at one by one.
_PLAIN = frozenset({bytes, int, type(None)})


class RedisNode:
    """A live connection to one node. Not for sharing between threads.

    Cost: one round trip a call. `sent` counts the commands, for pages that state what reading them cost.
    """

    def __init__(self, connection: Connection | UnixDomainSocketConnection, address: Address) -> None:
        self._connection = connection
        self.address = address
        self.sent = 0
        self.recorder: Recorder | None = None
        self._owed: Sequence[Command] = ()
        self._sent_at = 0.0

    @property
    def tls_version(self) -> str:
        """As the handshake agreed: `TLSv1.3`; empty without TLS."""
        wire = self._connection._sock
        return (wire.version() or "") if isinstance(wire, ssl.SSLSocket) else ""

    def command(self, *arguments: Argument) -> Reply:
        """Send one command and give its reply. Errors: every EngineError of `translated`."""
        return self.pipeline([arguments], raising=True)[0]

    def pipeline(self, commands: Sequence[Command], *, raising: bool = False) -> list[Reply | errors.EngineError]:
        """Send many commands in one round trip, without a transaction.

        Shape: one entry a command, in order; with raising=False a refused command's entry is its EngineError, so that one
        missing right costs one figure and not the page. A broken connection always raises.
        """
        if not commands:
            return []
        self.send(commands)
        return self.receive(raising=raising)

    def replies(self, commands: Sequence[Command]) -> list[Reply]:
        """As pipeline, where none may fail. Errors: the EngineError of the first that was refused."""
        return list(self.pipeline(commands, raising=True))

    def send(self, commands: Sequence[Command]) -> None:
        """Put commands on their way. Until `receive` the server works on them, and whoever asked on something else."""
        self._owed, self._sent_at = commands, time.perf_counter()
        self.sent += len(commands)
        packed = b"".join(map(hiredis.pack_command, map(tuple, commands)))  # type: ignore[arg-type]
        with self._in_words():
            self._connection.send_packed_command([packed], check_health=False)

    def receive(self, *, raising: bool = False) -> list[Reply | errors.EngineError]:
        """The replies to what was sent, as `pipeline` gives them."""
        with self._in_words():
            read = redis_wire.read(self._connection, len(self._owed))
        replies = read
        if not _PLAIN.issuperset(map(type, read)):
            self._check_welcome(read)
            replies = [self._one(reply, command) for reply, command in zip(read, self._owed, strict=True)]
        if self.recorder is not None:
            self.recorder.note(self._owed, time.perf_counter() - self._sent_at)
        self._owed = ()
        if raising and isinstance(
            first := next((r for r in replies if isinstance(r, errors.EngineError)), None), Exception
        ):
            raise first
        return replies

    def record_owed(self) -> None:
        """List what was sent under "commands sent" where its answer is no reply but a stream."""
        if self.recorder is not None:
            self.recorder.note(self._owed, time.perf_counter() - self._sent_at)

    @property
    def is_owed(self) -> bool:
        """Whether replies are still to come: the next who asked over this connection would take them for theirs."""
        return bool(self._owed)

    def _check_welcome(self, replies: Sequence[Any]) -> None:
        """Signed out, or loading its data: that is no answer to one question but to all."""
        for reply, command in zip(replies, self._owed, strict=True):
            if isinstance(reply, redis.exceptions.ConnectionError):
                self._owed = ()
                raise translated(reply, self.address, command=command)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (
            redis.exceptions.ConnectionError,
            redis.exceptions.TimeoutError,
            redis.exceptions.InvalidResponse,
            OSError,
        ) as error:
            self._connection.disconnect()
            raise translated(error, self.address) from error

    def _one(self, reply: Any, command: Command) -> Reply | errors.EngineError:
        if isinstance(reply, Exception):
            return translated(reply, self.address, command=command)
        if command[0] == "EXEC" and isinstance(reply, list):
            return [translated(r, self.address) if isinstance(r, Exception) else r for r in reply]
        return reply


class _Pinned:
    """Dials addresses that were checked, while the certificate is still verified against the name."""

    checked: Sequence[IP] = ()

    def _connect(self) -> socket.socket:
        last: OSError | None = None
        for ip in self.checked:
            try:
                made = socket.create_connection((str(ip), self.port), self.socket_connect_timeout)  # type: ignore[attr-defined]
            except OSError as error:
                last = error
                continue
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made.settimeout(self.socket_timeout)  # type: ignore[attr-defined]
            return made
        raise last or OSError("no address")


class _PinnedConnection(_Pinned, Connection):
    pass


class _SocketConnection(UnixDomainSocketConnection):
    """A node on this machine, named by its socket file."""

    host = ""


class _PinnedTLSConnection(SSLConnection):
    """SSLConnection wraps what Connection dials: put the pinned dialling below it, and a context without surprises above.

    The driver's own context trusts the system's roots beside a given CA, and asks the terminal for a key's passphrase.
    """

    checked: Sequence[IP] = ()

    def _connect(self) -> socket.socket:
        plain = _Pinned._connect(self)  # type: ignore[arg-type]
        try:
            secured: socket.socket = self._wrap_socket_with_ssl(plain)
            return secured
        except (OSError, redis.exceptions.RedisError):
            plain.close()
            raise

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_certs:
            context.load_verify_locations(self.ca_certs)
        else:
            context.load_default_certs()
        if self.certfile:
            context.load_cert_chain(self.certfile, self.keyfile or None, password="")
        return context.wrap_socket(sock, server_hostname=self.host)


_idle: IdleConnections[RedisNode] = IdleConnections(lambda node: node._connection.disconnect())
_pid = os.getpid()
_fork_lock = threading.Lock()


def _shelf() -> IdleConnections[RedisNode]:
    """The idle connections of this process; a forked child never uses its parent's."""
    global _idle, _pid
    with _fork_lock:
        if _pid != os.getpid():
            _idle, _pid = IdleConnections(lambda node: node._connection.disconnect()), os.getpid()
    return _idle


@contextmanager
def redis_node(target: Target, *, address: Address | None = None, fresh: bool = False) -> Iterator[RedisNode]:
    """A connection to one node of a target (its first address unless told otherwise).

    Cost: connecting takes three round trips, about 1 ms on a local network; idle connections are used again for 20 s.
    One attempt, never a retry. `fresh` always connects anew (tests of a connection).
    Errors: Unreachable, NameNotResolved, TimedOut, AddressRefused, TLSFailed, AuthenticationFailed, NotPermitted, Busy, WrongKind.
    """
    seen = target.at(address) if address else target
    node = None if fresh else _usable(_shelf().take(seen))
    if node is None:
        node = _connected(seen)
    try:
        yield node
    except BaseException as error:
        if isinstance(error, errors.EngineError) and not isinstance(error, errors.Unreachable) and not node.is_owed:
            _shelf().put(seen, node)
        else:
            node._connection.disconnect()
        raise
    if fresh or node.is_owed:
        node._connection.disconnect()
    else:
        _shelf().put(seen, node)


def forget_connections() -> None:
    """Close what is idle: credentials or addresses changed."""
    _shelf().clear()


def _usable(node: RedisNode | None) -> RedisNode | None:
    """None when the server closed the idle connection meanwhile, or left something unread on it."""
    if node is None:
        return None
    try:
        if node._connection.can_read(timeout=0):
            raise redis.exceptions.ConnectionError("unread data on an idle connection")
    except (redis.exceptions.RedisError, OSError):
        node._connection.disconnect()
        return None
    node.sent = 0
    return node


def _connected(target: Target) -> RedisNode:
    try:
        with ExitStack() as stack:
            connection = _connection(target, stack)
            connection.connect()
    except (redis.exceptions.RedisError, OSError, ValueError) as error:
        raise translated(error, target.address, secured=target.tls is not None) from error
    node = RedisNode(connection, target.address)
    node.pipeline([("CLIENT", "SETNAME", CLIENT_NAME)])
    node.sent = 0
    return node


def _connection(target: Target, stack: ExitStack) -> Connection | UnixDomainSocketConnection:
    address = target.address
    common: dict[str, Any] = {
        "db": int(target.database or 0),
        "username": target.username or None,
        "password": target.password or None,
        "socket_timeout": target.read_timeout_s,
        "socket_connect_timeout": target.connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
    }
    if address.is_socket:
        target.policy.check_socket(address.host)
        return _SocketConnection(path=address.host, **common)
    checked = resolve(address.host, address.port, target.policy)
    common |= {"host": address.host, "port": address.port}
    if target.tls is None:
        made: Connection = _PinnedConnection(**common)
    else:
        files = stack.enter_context(certificate_files(target.tls))
        made = _PinnedTLSConnection(
            ssl_ca_certs=str(files.ca) if files.ca else None,
            ssl_certfile=str(files.certificate) if files.certificate else None,
            ssl_keyfile=str(files.key) if files.key else None,
            **common,
        )
    made.checked = checked  # type: ignore[attr-defined]
    return made


def translated(
    error: BaseException, address: Address, *, command: Command = (), secured: bool = False
) -> errors.EngineError:
    """The driver's exception in the engine's words. By the error's class and code, never by its free text alone."""
    if isinstance(error, errors.EngineError):
        return error
    text = str(error)[:300]
    if complaint := _tls_complaint(error):
        return tls_failure(complaint, address)
    if isinstance(error, redis.exceptions.TimeoutError | TimeoutError):
        return errors.TimedOut(
            f"{address} did not answer in time.", way_out="Check firewalls, and whether the server is busy."
        )
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.NoPermissionError) or text.startswith(
        ("WRONGPASS", "NOAUTH", "NOPERM", "ERR AUTH", "ERR invalid password", "invalid username-password")
    ):
        return _refused(error, text, address, command)
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return errors.Busy(f"{address} is loading its data into memory.", way_out="It answers when it is done.")
    if "running in protected mode" in text:
        return errors.NotPermitted(
            f"{address} runs in protected mode: it only answers its own machine.",
            missing="a password for its users, or protected-mode no",
        )
    if "max number of clients" in text:
        return errors.Busy(f"{address} accepts no more clients.", way_out="Raise maxclients, or close idle clients.")
    if isinstance(error, redis.exceptions.InvalidResponse) or "Protocol Error" in text:
        return errors.WrongKind(f"{address} does not speak the Redis protocol.", way_out="Check the kind and the port.")
    if isinstance(error, redis.exceptions.ConnectionError | OSError):
        closed = "Connection closed" in text or "Connection reset" in text
        if closed and secured:
            return errors.TLSFailed(
                f"{address} closed the connection during the TLS handshake.", way_out="Does it speak TLS on this port?"
            )
        if closed:
            return errors.Unreachable(f"{address} closed the connection.", way_out="It may demand TLS, or shut down.")
        return _unreachable(error, address)
    return _answer(error, text, address, command)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _tls_complaint(error: BaseException) -> str:
    """What OpenSSL said, wherever in the chain the driver left it; empty when it was not about TLS."""
    found = next((each for each in _chain(error) if isinstance(each, ssl.SSLError)), None)
    if found is None:
        return ""
    return str(getattr(found, "verify_message", "") or getattr(found, "reason", "") or found)


def _unreachable(error: BaseException, address: Address) -> errors.EngineError:
    """By errno: refused, no route, or no socket file."""
    code = next((each.errno for each in _chain(error) if isinstance(each, OSError) and each.errno), None)
    if code == errno.ECONNREFUSED:
        return errors.Unreachable(
            f"Connection refused by {address}.", way_out="Check the port, and that the server runs and listens there."
        )
    if code in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return errors.Unreachable(f"There is no route to {address}.", way_out="Check the address, and the network.")
    if code in (errno.ENOENT, errno.EACCES, errno.ENOTSOCK):
        return errors.Unreachable(
            f"{address} is no socket that the console may open.", way_out="Check the path and its rights."
        )
    return errors.Unreachable(f"{address} cannot be reached.", way_out="Check the address, and that the server runs.")


def _refused(error: BaseException, text: str, address: Address, command: Command) -> errors.EngineError:
    name = shown(command)
    if (
        isinstance(error, redis.exceptions.NoPermissionError)
        or text.startswith("NOPERM")
        or "has no permissions" in text
    ):
        if "access" in text and " channel" in text:
            return errors.NotPermitted("This account may not use this channel.", missing="&*")
        if "access" in text and " key" in text:
            return errors.NotPermitted("This account may not read this key.", missing="~*")
        rule = f"+{name}" if name else ""
        return errors.NotPermitted(
            f"This account may not run {name.upper().replace('|', ' ') or 'this command'}.", missing=rule
        )
    if "NOAUTH" in text or "Authentication required" in text or "without any password" in text:
        way_out = (
            "Give a user and a password."
            if "without any password" not in text
            else "Leave the password empty: this server has none."
        )
        return errors.AuthenticationFailed(f"{address} asks for other credentials: {text}", way_out=way_out)
    return errors.AuthenticationFailed(
        f"{address} refused the user or the password.", way_out="Check both, and that the user is on."
    )


_BUSY = redis.exceptions.ClusterDownError | redis.exceptions.MasterDownError | redis.exceptions.TryAgainError


def _answer(error: BaseException, text: str, address: Address, command: Command) -> errors.EngineError:
    """What the server said no to. The driver takes the code off a text and makes a class of it, where it knows the code."""
    name = shown(command).upper().replace("|", " ")
    lower = text.lower()
    is_about_rules = lower.startswith("error in acl setuser")  # a rule may name a command that the server lacks
    if not is_about_rules and ("unknown command" in lower or "unknown subcommand" in lower or "unsupported" in lower):
        return errors.Unsupported(
            f"{address} has no {name or 'such command'}.",
            way_out="Its version, or the service that runs it, leaves it out.",
        )
    if text.startswith("WRONGTYPE"):
        return errors.Gone("The key holds another type by now.", way_out="Open it again.")
    if "no such key" in lower:
        return errors.Gone("The key is gone.")
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return errors.OutOfMemory(
            f"{address} is at its maxmemory and refuses what may need more.", way_out="Free memory, or raise maxmemory."
        )
    if isinstance(error, redis.exceptions.ReadOnlyError):
        return errors.Unsupported(f"{address} is a replica: it takes no writes.", way_out="Do this on its primary.")
    if isinstance(error, _BUSY) or text.startswith("BUSY "):
        return errors.Busy(f"{address} cannot serve this now: {text}")
    return errors.CommandFailed(f"{name or 'The server'}: {text}")
