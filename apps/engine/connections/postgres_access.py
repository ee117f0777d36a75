"""How PostgreSQL's own programs sign in as a target does, without its password being seen: a connection string and a password file.

The file is in this process's memory and never on a disk; its name is of no use to anybody else, and it is gone with the process.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from psycopg.conninfo import make_conninfo

from apps.engine import errors
from apps.engine.connections.postgres import connection_parameters
from apps.engine.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`everything` says where and as whom; `database` names it alone, for programs that take it apart from that. No secret in either."""

    everything: str
    database: str


@contextmanager
def program_access(target: Target, *, database: str, name: str) -> Iterator[Access]:
    """For `--dbname` of pg_dump and its companions, as long as the block lasts. `name` is their application_name.

    The address is resolved and checked here, and that very address is dialled. A name of a database is quoted: one that looks like an
    option or a connection string is a name.
    Errors: NameNotResolved, AddressRefused, CommandFailed for a password that no password file can hold.
    """
    with ExitStack() as stack:
        parameters = connection_parameters(target, database, stack)
        password = parameters.pop("password")
        if password:
            parameters["passfile"] = stack.enter_context(_password_file(password))
        parameters["application_name"] = name
        yield Access(everything=make_conninfo(**parameters), database=make_conninfo(dbname=database))


@contextmanager
def _password_file(password: str) -> Iterator[str]:
    """Of one line that holds for every server: the program knows no other than the one it is given."""
    if "\n" in password or "\r" in password or "\0" in password:
        raise errors.CommandFailed(
            "This account's password has a line break in it, which PostgreSQL's programs cannot be given.",
            way_out="Give the account another password.",
        )
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    line = f"*:*:*:*:{escaped}\n".encode()
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("signalbox-pass", os.MFD_CLOEXEC)
        os.fchmod(handle, 0o600)
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.write(line)
            yield f"/proc/{os.getpid()}/fd/{handle}"
        return
    with tempfile.NamedTemporaryFile(prefix="signalbox-pass-") as file:  # elsewhere than on Linux; 0600 from the start
        file.write(line)
        file.flush()
        yield file.name
