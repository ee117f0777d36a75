"""One session on one PostgreSQL server: read only, impatient, and closed or reset after use.

Every session begins read only with a statement and a lock time-out. That protects against our own mistakes; what protects
against anybody else's is the account, which should hold no more rights than docs/permissions.md lists. Only a run of an
action gets a session that may write (`writing_session`), never shared and named after the run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import psycopg
from psycopg import sql
from psycopg.rows import class_row, tuple_row

from apps.engine import errors
from apps.engine.connections.addresses import resolve
from apps.engine.connections.idle import IdleConnections
from apps.engine.connections.recorder import Recorder
from apps.engine.connections.tls import certificate_files, tls_failure
from apps.engine.target import Address, Target

__all__ = [
    "OLDEST", "Notice", "PostgresNode", "connection_parameters", "forget_connections", "postgres_node", "sql", "writing_session",
]  # fmt: skip

Record = TypeVar("Record")
Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]

APPLICATION_NAME = "signalbox"
OLDEST = 13
LOCK_TIMEOUT_MS = 1000
# A statement that comes again over its session is prepared: the server takes longer to plan a look at its catalogues than to
# answer it. Not behind a pooler, whose next session may hold another statement by the same name; there the process that
# answers is not the one that was told at the beginning.
ASKED_BEFORE = 1
WAIT_INTERVAL_S = 0.1
GRACE_S = 1.0  # the server's own time-out comes first where the server lives
NOWHERE = "/dev/null/none"

# libpq takes what it is not told from PGPASSWORD, PGSERVICE, PGOPTIONS and others: no server may be sent those of the console.
for _name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[_name]


class _Impatient(psycopg.Connection[tuple[Any, ...]]):
    """Gives up by its own clock: statement_timeout is the server's, and a server that stands still keeps none.

    What is left of the protocol after that is unknown, so the session is ended with it.
    """

    patience_s: float = 0.0
    between: Callable[[], None] | None = None

    def wait(self, gen: Any, interval: float = WAIT_INTERVAL_S, timeout: float | None = None) -> Any:
        begun = time.monotonic()
        patience_s = timeout or self.patience_s or None
        try:
            return super().wait(gen if self.between is None else _calling(gen, self.between), interval, patience_s)
        except psycopg.OperationalError as error:
            if patience_s is None or time.monotonic() - begun < patience_s or error.sqlstate:
                raise
            self.pgconn.finish()
            raise TimeoutError("no answer") from error


def _calling(steps: Generator[Any, Any, Any], between: Callable[[], None]) -> Generator[Any, Any, Any]:
    """The driver's own steps; `between` is called whenever nothing came for an interval."""
    wanted = next(steps)
    while True:
        ready = yield wanted
        if not ready:
            between()
        try:
            wanted = steps.send(ready)
        except StopIteration as over:
            return over.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the server said beside its answer. `severity` is NOTICE, WARNING and the like, never translated."""

    severity: str
    text: str


def _notice(said: psycopg.errors.Diagnostic) -> Notice:
    return Notice(severity=said.severity_nonlocalized or "", text=(said.message_primary or "")[:500])


class PostgresNode:
    """A live session. Not for sharing between threads. Autocommit: every statement is its own transaction.

    Cost: one round trip a call, 0.1 ms on a local network; two the second time, when a statement of a file is prepared. `sent`
    counts the statements. What is put together for tables of others is never prepared: their columns may change meanwhile.
    """

    def __init__(self, connection: _Impatient, address: Address) -> None:
        self._connection = connection
        self.address = address
        self.sent = 0
        self.recorder: Recorder | None = None
        self.notices: list[Notice] = []

    @property
    def pid(self) -> int:
        """The session's process on the server."""
        return self._connection.info.backend_pid

    @property
    def version(self) -> int:
        """The server's major version, such as 15."""
        return self._connection.info.server_version // 10000

    @property
    def version_text(self) -> str:
        """As the server says it: `15.18`."""
        return self._connection.info.parameter_status("server_version") or str(self.version)

    def rows(
        self, statement: str | sql.SQL | sql.Composed, parameters: Parameters | None = None
    ) -> list[tuple[Any, ...]]:
        """All rows of one bounded statement, as tuples. Values always travel as parameters, never inside the text."""
        return self._run(statement, parameters, tuple_row)

    def row(self, statement: str | sql.SQL | sql.Composed, parameters: Parameters | None = None) -> tuple[Any, ...]:
        """The first row. Errors: Gone where there is none."""
        rows = self.rows(statement, parameters)
        if not rows:
            raise errors.Gone("The server has no such row any more.")
        return rows[0]

    def records(
        self, record: type[Record], statement: str | sql.SQL | sql.Composed, parameters: Parameters | None = None
    ) -> list[Record]:
        """All rows of one bounded statement, each as a `record` whose fields are named like the columns."""
        return cast(list[Record], self._run(statement, parameters, class_row(record)))

    def watched(self, statement: sql.SQL | sql.Composed, *, between: Callable[[], None]) -> None:
        """One statement that takes as long as it takes; `between` is called about ten times a second until it ends.

        What `between` raises ends the session, and the server is not told: it may work on. Errors: as rows, and those.
        """
        self._connection.between = between
        try:
            self.rows(statement)
        finally:
            self._connection.between = None
            if self._connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self._connection.pgconn.finish()

    def _run(self, statement: str | sql.SQL | sql.Composed, parameters: Parameters | None, factory: Any) -> list[Any]:
        self.sent += 1
        text = statement if not isinstance(statement, str) else sql.SQL(statement)
        begun = time.perf_counter()
        try:
            with self._connection.cursor(row_factory=factory) as cursor:
                cursor.execute(text, parameters, prepare=None if isinstance(statement, str) else False)
                return list(cursor.fetchall()) if cursor.description else []
        except (psycopg.Error, UnicodeError, TimeoutError) as error:
            raise _translated(error, self.address) from error
        finally:
            if self.recorder is not None:
                self.recorder.note([text.as_string(self._connection)], time.perf_counter() - begun)


_idle: IdleConnections[PostgresNode] = IdleConnections(lambda node: node._connection.close())
_pid = os.getpid()
_fork_lock = threading.Lock()


def _shelf() -> IdleConnections[PostgresNode]:
    """The idle sessions of this process; a forked child never uses its parent's."""
    global _idle, _pid
    with _fork_lock:
        if _pid != os.getpid():
            _idle, _pid = IdleConnections(lambda node: node._connection.close()), os.getpid()
    return _idle


@contextmanager
def postgres_node(
    target: Target, *, address: Address | None = None, database: str = "", fresh: bool = False
) -> Iterator[PostgresNode]:
    """A session on one node of a target, in its registered database unless told otherwise.

    Cost: connecting takes 3 to 10 ms on a local network and one server process; idle sessions are used again for 20 s.
    One attempt, never a retry. `fresh` always connects anew (tests of a connection).
    Errors: Unreachable, NameNotResolved, TimedOut, AddressRefused, TLSFailed, AuthenticationFailed, NotPermitted, Busy, TooOld, WrongKind.
    """
    seen = target.at(address or target.address)
    key = (seen, database)
    node = None if fresh else _usable(_shelf().take(key))
    if node is None:
        node = _connected(seen, database or target.database or "postgres")
    try:
        yield node
    finally:
        if fresh or node._connection.broken or node._connection.closed:
            node._connection.close()
        else:
            _shelf().put(key, node)


@contextmanager
def writing_session(
    target: Target,
    *,
    name: str,
    database: str = "",
    timeout_s: float | None = None,
    lock_timeout_s: float | None = LOCK_TIMEOUT_MS / 1000,
) -> Iterator[PostgresNode]:
    """A session of its own that may write, with `name` as its application_name, closed at the end.

    Statements end after `timeout_s`, and waiting for a lock after `lock_timeout_s`; never where they are None: VACUUM and
    REINDEX CONCURRENTLY take what they take, and a time-out leaves an invalid index. NOTICEs and WARNINGs are kept in
    `notices`: a VACUUM that was not allowed to says so in a warning and succeeds.
    Errors: as postgres_node.
    """
    node = _connected(target, database or target.database or "postgres")
    try:
        node._connection.patience_s = 0.0 if timeout_s is None else timeout_s + GRACE_S
        node._connection.add_notice_handler(lambda said: node.notices.append(_notice(said)))
        node.rows(
            "SELECT /* signalbox */ set_config('default_transaction_read_only', 'off', false),"
            " set_config('application_name', %s, false), set_config('statement_timeout', %s, false),"
            " set_config('lock_timeout', %s, false)",
            [name, f"{int((timeout_s or 0) * 1000)}ms", f"{int((lock_timeout_s or 0) * 1000)}ms"],
        )
        node.sent = 0
        yield node
    finally:
        node._connection.close()


def forget_connections() -> None:
    """Close what is idle: credentials or addresses changed."""
    _shelf().clear()


def _usable(node: PostgresNode | None) -> PostgresNode | None:
    """None when the server ended the idle session meanwhile (its FATAL message, or the end of the stream, is readable)."""
    if node is None:
        return None
    try:
        node._connection.pgconn.consume_input()
    except psycopg.Error:
        node._connection.close()
        return None
    if node._connection.pgconn.status != psycopg.pq.ConnStatus.OK:
        node._connection.close()
        return None
    node.sent = 0
    return node


def _connected(target: Target, database: str) -> PostgresNode:
    try:
        with ExitStack() as stack:
            connection = _Impatient.connect(**connection_parameters(target, database, stack), autocommit=True)
    except (psycopg.Error, OSError, UnicodeError) as error:
        raise _translated(error, target.address, connecting=True) from error
    connection.prepare_threshold = None
    connection.patience_s = target.read_timeout_s + GRACE_S
    node = PostgresNode(connection, target.address)
    try:
        _check(node)
        *_, pid = node.row(
            "SELECT /* signalbox */ set_config('default_transaction_read_only', 'on', false), set_config('lock_timeout', %s, false),"
            " set_config('statement_timeout', %s, false), set_config('idle_in_transaction_session_timeout', '10s', false),"
            " pg_backend_pid()",
            [f"{LOCK_TIMEOUT_MS}ms", f"{int(target.read_timeout_s * 1000)}ms"],
        )
    except BaseException:
        connection.close()
        raise
    if pid == connection.info.backend_pid:
        connection.prepare_threshold = ASKED_BEFORE
    node.sent = 0
    return node


def _check(node: PostgresNode) -> None:
    if node.version < OLDEST:
        raise errors.TooOld(
            f"{node.address} runs PostgreSQL {node.version_text}; {OLDEST} is the oldest that is supported.",
            way_out="Upgrade the server.",
        )


def connection_parameters(target: Target, database: str, stack: ExitStack) -> dict[str, Any]:
    """What libpq is told, all of it; certificates are files as long as `stack` lasts. Errors: NameNotResolved, AddressRefused."""
    address = target.address
    parameters: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "dbname": database,
        "user": target.username or None,
        "password": target.password,
        "connect_timeout": max(2, round(target.connect_timeout_s)),
        "application_name": APPLICATION_NAME,
        "client_encoding": "UTF8",
        "tcp_user_timeout": int(target.read_timeout_s * 1000) + 1000,
        "passfile": NOWHERE,
        "gssencmode": "disable",
        "options": "",
    }
    if address.is_socket:
        target.policy.check_socket(address.host)
        return {k: v for k, v in parameters.items() if v is not None} | {"sslmode": "disable"}
    ips = resolve(address.host, address.port, target.policy)
    parameters["hostaddr"] = ",".join(map(str, ips))
    parameters["host"] = ",".join([address.host] * len(ips))
    if target.tls is None:
        parameters["sslmode"] = "disable"
        return {k: v for k, v in parameters.items() if v is not None}
    files = stack.enter_context(certificate_files(target.tls))
    parameters |= {
        "sslmode": "verify-full",
        "sslrootcert": str(files.ca or "system"),
        "sslcert": str(files.certificate or NOWHERE),
        "sslkey": str(files.key or NOWHERE),
        "ssl_min_protocol_version": "TLSv1.2",
    }
    return {k: v for k, v in parameters.items() if v is not None}


def _translated(error: BaseException, address: Address, *, connecting: bool = False) -> errors.EngineError:
    """The driver's exception in the engine's words: by SQLSTATE where there is one, by libpq's words while connecting."""
    if isinstance(error, errors.EngineError):
        return error
    state = getattr(error, "sqlstate", None) or ""
    text = _first_line(error)
    if isinstance(error, TimeoutError):
        return errors.TimedOut(f"{address} did not answer in time.", way_out="The server may be frozen or overloaded.")
    if isinstance(error, UnicodeError):
        return errors.CommandFailed("The server sent text in an encoding that could not be read.")
    if state:
        return _by_state(state, text, address)
    if connecting:
        return _by_words(str(error), text, address)
    if isinstance(error, psycopg.OperationalError):
        return errors.Unreachable(f"{address} ended the session: {text}")
    return errors.CommandFailed(text)


def _by_state(state: str, text: str, address: Address) -> errors.EngineError:
    if state == "57014":
        return errors.TimedOut(f"{address} did not finish the question in time; it was cancelled.")
    if state == "55P03":
        return errors.Busy(
            "Somebody holds a lock on this; not waited for.", way_out="See who blocks whom under Activity."
        )
    if state == "42501":
        return errors.NotPermitted(text)
    if state in ("42P01", "42883", "42703", "0A000", "55000", "42704"):
        return errors.Unsupported(text)
    if state.startswith("28"):
        return errors.AuthenticationFailed(
            f"{address} refused the user or the password.", way_out="Check both, and pg_hba.conf."
        )
    if state == "3D000":
        return errors.Gone(text, way_out="Check the name of the database.")
    if state.startswith(("53", "57")):
        return errors.Busy(text)
    return errors.CommandFailed(text)


def _by_words(whole: str, text: str, address: Address) -> errors.EngineError:
    """libpq gives no SQLSTATE while connecting; the server's FATAL line, or libpq's own complaint, is in its text."""
    lower = whole.lower()
    return (
        _refused_by_words(lower, text, address)
        or _unserved_by_words(lower, text, address)
        or _unreachable_by_words(lower, text, address)
    )


def _refused_by_words(lower: str, text: str, address: Address) -> errors.EngineError | None:
    """The server answered and does not let this account in."""
    if "requires a valid client certificate" in lower:
        return tls_failure(lower, address)
    if "pg_hba.conf" in lower and "no encryption" in lower:
        return errors.TLSFailed(
            f"{address} takes no unencrypted connection from here.",
            way_out="Turn TLS on, or add a line to pg_hba.conf.",
        )
    if "pg_hba.conf" in lower:
        return errors.NotPermitted(
            f"{address} has no line in pg_hba.conf that lets this console, user and database in.",
            missing="a line in pg_hba.conf",
        )
    if "permission denied for database" in lower:
        return errors.NotPermitted(
            "This account may not connect to the database.", missing="GRANT CONNECT ON DATABASE ... TO ..."
        )
    if "not permitted to log in" in lower:
        return errors.NotPermitted("This role may not sign in.", missing="ALTER ROLE ... LOGIN")
    if any(words in lower for words in ("authentication failed", "no password supplied", 'role "')):
        return errors.AuthenticationFailed(
            f"{address} refused the user or the password.", way_out="Check both; the server's log says which it was."
        )
    return None


_UNSERVED = (
    "starting up",
    "shutting down",
    "in recovery mode",
    "not yet accepting connections",
    "too many clients",
    "too many connections",
    "remaining connection slots",
)


def _unserved_by_words(lower: str, text: str, address: Address) -> errors.EngineError | None:
    """The server answered and cannot serve."""
    if 'database "' in lower and "does not exist" in lower:
        return errors.Gone(f"{address} has no such database.", way_out="Check the name of the database.")
    if any(words in lower for words in _UNSERVED):
        return errors.Busy(text)
    if any(words in lower for words in ("ssl", "certificate", "private key")):
        return tls_failure(lower if len(lower) < 600 else text, address)
    return None


def _unreachable_by_words(lower: str, text: str, address: Address) -> errors.EngineError:
    """Nobody, or nobody who speaks the protocol, answered."""
    if "timeout expired" in lower or "timed out" in lower:
        return errors.TimedOut(
            f"{address} did not answer in time.", way_out="Check firewalls, and whether the server is busy."
        )
    if "refused" in lower:
        return errors.Unreachable(
            f"Connection refused by {address}.", way_out="Check the port, and that the server runs and listens there."
        )
    if "no route to host" in lower or "network is unreachable" in lower:
        return errors.Unreachable(f"There is no route to {address}.", way_out="Check the address, and the network.")
    if any(words in lower for words in ("unexpected response", "invalid response", "expected authentication request")):
        return errors.WrongKind(
            f"{address} does not speak the PostgreSQL protocol.", way_out="Check the kind and the port."
        )
    if "closed the connection unexpectedly" in lower:
        return errors.Unreachable(f"{address} closed the connection.", way_out="It may shut down, or be no PostgreSQL.")
    return errors.Unreachable(
        f"{address} cannot be reached: {text}", way_out="Check the address, and that the server runs."
    )


def _first_line(error: BaseException) -> str:
    diagnostic = getattr(getattr(error, "diag", None), "message_primary", None)
    text = diagnostic or next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.strip()[:300]
