"""Where a private server keeps its data and its socket, who owns it, and whether an earlier one still runs there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import signal
import socket
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from apps.engine.connections.shell import Account
from apps.engine.embedded.errors import EmbeddedError

SOCKET_PATH_MAX_BYTES = 100  # the kernel's limit is 108 with the closing zero; some clients append a suffix
ELSEWHERE = "elsewhere"  # the file that names the folder that is used instead
UNPRIVILEGED = ("postgres", "nobody")
PREVIOUS_RUN_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSFiles:
    """The files a server needs to speak TLS; `ca` makes it check the certificates of clients that show one."""

    certificate: Path
    key: Path
    ca: Path | None = None


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def private_folder(folder: Path, account: Account | None = None) -> Path:
    """The folder, made if need be, 0700 and owned by the account (or by us). Errors: EmbeddedError when it is another's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    found = folder.lstat()
    if found.st_uid not in (uid, os.geteuid()) or not stat.S_ISDIR(found.st_mode):
        raise EmbeddedError(f"{folder} belongs to somebody else.", way_out="Choose another folder, or remove that one.")
    if found.st_uid != uid:
        os.chown(folder, uid, gid)
    folder.chmod(0o700)
    return folder


def socket_folder(folder: Path, name: str, account: Account | None = None) -> Path:
    """A private folder for the socket file `name`: `folder/run`, or a short one where that path would be too long."""
    near = folder / "run"
    if len(os.fsencode(near / name)) < SOCKET_PATH_MAX_BYTES:
        return private_folder(near, account)
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    parent = runtime if account is None and runtime.is_absolute() and os.access(runtime, os.W_OK) else Path("/tmp")  # noqa: S108
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
    return private_folder(parent / f"signalbox-{os.geteuid()}-{digest}", account)


def unprivileged_account() -> Account | None:
    """The account for a server that refuses root: None when we are not root. Errors: EmbeddedError without such an account."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(uid=found.pw_uid, gid=found.pw_gid, home=Path("/"))
    raise EmbeddedError(
        "PostgreSQL refuses root, and there is no account to run it as.", way_out="Run as a normal user."
    )


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether the account may pass through every folder above `path`."""
    return account is None or all(_may_pass(parent, account) for parent in path.resolve().parents)


def _may_pass(folder: Path, account: Account) -> bool:
    if not folder.exists():  # it will be made by us, and opened by whoever makes it
        return True
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def reachable_folder(folder: Path, account: Account | None) -> Path:
    """`folder` itself, or one under /var/tmp that the account can reach; the file `elsewhere` in `folder` remembers it."""
    if account is None:
        return private_folder(folder)
    if can_reach(folder, account):
        return private_folder(folder, account)
    pointer = private_folder(folder) / ELSEWHERE
    with contextlib.suppress(FileNotFoundError):
        remembered = Path(pointer.read_text().strip())
        if remembered.is_dir():
            return private_folder(remembered, account)
    made = Path(tempfile.mkdtemp(prefix="signalbox-", dir="/var/tmp"))
    pointer.write_text(f"{made}\n")
    return private_folder(made, account)


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file that is 0600 from its first byte on and appears at once."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - a descriptor
        if account is not None:
            os.fchown(file.fileno(), account.uid, account.gid)
        file.write(text)
    draft.replace(path)


class FolderLock:
    """One owner per folder: a lock that the kernel drops when its holder dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Errors: EmbeddedError when another process, or another object of this one, uses the folder."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise EmbeddedError(
                f"{self._path.parent} is in use by another running console.",
                way_out="Stop that one, or use another folder.",
            ) from None
        self._descriptor = descriptor

    def drop(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def end_previous(pid_file: Path, works_in: Path, *, number: int = signal.SIGTERM) -> None:
    """End what an earlier run left. Call it with the folder's lock held, so that whatever runs there has no owner.

    `works_in` is the server's current folder: it tells our server from a stranger with a reused pid.
    """
    pid = _pid_in(pid_file)
    if pid is not None and _is_ours(pid, works_in):
        for attempt in (number, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, attempt)
            if _ended(pid, PREVIOUS_RUN_TIMEOUT_S):
                break
    pid_file.unlink(missing_ok=True)


def _pid_in(pid_file: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(pid_file.read_text().split()[0])
    return None


def _is_ours(pid: int, works_in: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == works_in.resolve()
    except OSError:
        return False


def _ended(pid: int, timeout_s: float) -> bool:
    ends_at = time.monotonic() + timeout_s
    while time.monotonic() < ends_at:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def tail(path: Path, *, lines: int = 6) -> str:
    """The last lines of a log, for the message of an error."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
