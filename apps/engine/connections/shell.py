"""The only place that starts a process: a list of words and never a shell, a clean environment, an own process group.

`run` is for programs that end by themselves (bounded in time and in output); `start` is for servers and streams.

A started process gets a signal from the kernel when the thread that started it ends (Linux: PR_SET_PDEATHSIG), so
that a console that is killed leaves nothing behind. Therefore start long-lived processes from a thread that stays,
normally the main thread; elsewhere than on Linux the caller has to stop what it started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from apps.engine.errors import EngineError

OUTPUT_CAP_BYTES = 256 * 1024
BLOCK_BYTES = 256 * 1024
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


class ProcessFailed(EngineError):
    """A program could not be started, took too long, or ended with an error; the message has its last words."""

    kind = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The operating-system account that a process is started as. Only root may ask for another one than its own."""

    uid: int
    gid: int
    home: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a program that ended left behind. `truncated` is true when it said more than the cap; its tail is kept."""

    code: int
    output: bytes
    errors: bytes
    truncated: bool

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace")

    @property
    def last_words(self) -> str:
        """The last lines of what it complained of, or else of what it said."""
        said = (self.errors.strip() or self.output.strip()).decode("utf-8", "replace")
        return "\n".join(said.splitlines()[-5:])[-1000:]


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Only what a program needs to be found and to speak plainly: no secret and no PG* or REDIS* of ours gets through."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "TZ") if name in os.environ}
    return {"PATH": os.defpath, "HOME": "/", **kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(extra or {})}


def _die_with_parent(death_signal: int) -> Callable[[], None] | None:
    """What the child does between fork and exec. Everything is looked up before the fork: it may take no lock there."""
    if _LIBC is None:
        return None
    prctl, parent, getppid, leave, number = _LIBC.prctl, os.getpid(), os.getppid, os._exit, int(death_signal)

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if getppid() != parent:  # the parent ended before the line above
            leave(127)

    return bind


class Process:
    """A started process that leads its own process group. Made by `start`; also a context manager that stops it."""

    def __init__(self, popen: subprocess.Popen[bytes], name: str) -> None:
        self._popen = popen
        self.name = name

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def stdin(self) -> IO[bytes] | None:
        return self._popen.stdin

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._popen.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        return self._popen.stderr

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    def wait(self, timeout_s: float) -> int | None:
        """The exit code, or None when it still runs after the time."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: int) -> None:
        """To the process alone; quietly nothing when it has ended."""
        if self.code is None:
            self._popen.send_signal(number)

    def kill_group(self) -> None:
        """To every process of its group, also when the leader has ended and left children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def stop(self, *, number: int = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """Ask, wait, then kill what is left of the group. Returns the exit code; never leaves a process."""
        self.send(number)
        code = self.wait(timeout_s)
        self.kill_group()
        code = self._popen.wait() if code is None else code
        self._await_group(2.0)
        self._close_pipes()
        return code

    def _await_group(self, timeout_s: float) -> None:
        """Killed children of the group are reaped by init; wait for that, so that nothing is left when stop() returns."""
        ends_at = time.monotonic() + timeout_s
        while time.monotonic() < ends_at and _group_is_alive(self.pid):
            time.sleep(0.01)

    def _close_pipes(self) -> None:
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def blocks(self, *, idle_s: float = 1.0) -> Iterator[bytes]:
        """What it writes to stdout, to the end; b"" after each `idle_s` in which it wrote nothing. Have its stderr drained besides."""
        if self.stdout is None:
            raise ValueError("a stream needs its pipe")
        handle = self.stdout.fileno()
        while True:
            ready, _, _ = select.select([handle], [], [], idle_s)
            block = os.read(handle, BLOCK_BYTES) if ready else b""
            if ready and not block:
                return
            yield block

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    account: Account | None = None,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = subprocess.DEVNULL,
    death_signal: int = signal.SIGTERM,
    name: str = "",
) -> Process:
    """Start a process in its own group. `env` is added to the clean environment. Pass PIPE or STDOUT of this module.

    Errors: ProcessFailed when the program is not there or may not be executed.
    """
    words = [os.fspath(word) for word in argv]
    environment = clean_environment(env)
    if account is not None:
        environment["HOME"] = str(account.home)
    try:
        popen = subprocess.Popen(
            words,
            env=environment,
            cwd=folder,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=0,
            close_fds=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
            preexec_fn=_die_with_parent(death_signal),
        )
    except OSError as error:
        raise ProcessFailed(f"{words[0]} could not be started: {error.strerror or error}") from error
    return Process(popen, name or Path(words[0]).name)


PIPE = subprocess.PIPE
STDOUT = subprocess.STDOUT


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    account: Account | None = None,
    stdin: bytes = b"",
    cap_bytes: int = OUTPUT_CAP_BYTES,
    check: bool = True,
) -> Finished:
    """Run a program to its end and keep the last `cap_bytes` of each of its streams.

    Errors: ProcessFailed when it cannot start, does not end in time (its group is killed then), or, with `check`,
    ends with another code than 0.
    """
    from apps.engine.connections.capture import Capture

    process = start(argv, env=env, folder=folder, account=account, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    capture = Capture(process, stdin=stdin, cap_bytes=cap_bytes)
    code = process.wait(timeout_s)
    process.kill_group()
    output, errors, truncated = capture.finish()
    finished = Finished(
        code=process.stop(timeout_s=0.1) if code is None else code, output=output, errors=errors, truncated=truncated
    )
    if code is None:
        raise ProcessFailed(f"{process.name} did not end within {timeout_s:g} s. {finished.last_words}".strip())
    if check and code != 0:
        raise ProcessFailed(f"{process.name} ended with code {code}: {finished.last_words}")
    return finished
