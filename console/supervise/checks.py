"""What has to be right before anything is started, each refusal with its remedy."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
from pathlib import Path

from console.supervise.plan import CannotStart, StartPlan

OLDEST_PYTHON = (3, 11)
FREE_DISK_BYTES = 300 * 1024 * 1024


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    if version < OLDEST_PYTHON:
        raise CannotStart(f"Python {'.'.join(map(str, version))} is too old: the console needs 3.11 or newer.")


def prepare_data_folder(data: Path) -> None:
    """The folder exists, is 0700 and can be written to, on a disk with room."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        data.chmod(0o700)
        for part in ("keys", "logs"):
            (data / part).mkdir(mode=0o700, exist_ok=True)
        probe = data / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"The data folder {data} cannot be written to ({error.strerror}).\n"
            "Give it to the account you are using, or choose another: SIGNALBOX_DATA=/path make run"
        ) from error


def check_disk(data: Path, free_bytes: int | None = None) -> None:
    free_bytes = shutil.disk_usage(data).free if free_bytes is None else free_bytes
    if free_bytes < FREE_DISK_BYTES:
        raise CannotStart(
            f"Only {free_bytes // 2**20} MB are free where {data} is; the console wants {FREE_DISK_BYTES // 2**20} MB.\n"
            "Make room, or choose another disk: SIGNALBOX_DATA=/path make run"
        )


def check_port(plan: StartPlan) -> None:
    """Nobody else listens on the port, and we may."""
    family = socket.AF_INET6 if ":" in plan.address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.address, plan.port))
            return
        except PermissionError as error:
            raise CannotStart(f"Port {plan.port} is reserved for root. Take another: PORT=8000 make run") from error
        except OSError as error:
            reason = error.strerror or str(error)
    holder = _holder(plan.port)
    by = f"It is held by {holder}." if holder else f"({reason}; another account's program may hold it.)"
    free = free_port_after(plan.port)
    raise CannotStart(f"Port {plan.port} of {plan.address} is taken. {by}\nTake another one: PORT={free} make run")


def free_port_after(port: int) -> int:
    """The next port that nobody listens on."""
    for candidate in range(port + 1, min(port + 50, 65536)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", candidate))
            return candidate
    return port + 1


def _holder(port: int) -> str:
    """Which process listens on the port, as far as we may see: `name (pid 12)`."""
    inodes = set(_listening_inodes(port))
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(_link(each) in inodes for each in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return ""


def _link(descriptor: Path) -> str:
    """What an open descriptor stands for; empty when it was closed in the meantime."""
    with contextlib.suppress(OSError):
        return os.readlink(descriptor)  # noqa: PTH115 - `socket:[1]` is no path
    return ""


def _listening_inodes(port: int) -> list[str]:
    """`socket:[inode]` of every TCP socket in state LISTEN (0A) on the port."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            rows = (line.split() for line in Path(table).read_text().splitlines()[1:])
            found += [
                f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port
            ]
    return found
