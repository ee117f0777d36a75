"""The client programs on this machine that a backup or a restore needs, and which fit which server."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from apps.engine.connections import shell

POSTGRES_PROGRAMS = ("pg_dump", "pg_dumpall", "pg_restore", "psql")
REDIS_PROGRAMS = ("redis-server", "valkey-server", "redis-check-rdb", "valkey-check-rdb")
PARENTS = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")
VERSION_TIMEOUT_S = 5.0
REMEMBERED_S = 30.0
LAST_COMMON_REDIS = (7, 2)
_VERSION = re.compile(r"(?:PostgreSQL\) |v=|\s|v)(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program. `version` is empty when it would not tell."""

    name: str
    path: Path
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def programs() -> tuple[Program, ...]:
    """The programs of PATH and of PostgreSQL's usual folders, newest first.

    Shape: one a name and version, the one in PostgreSQL's own folder before a wrapper in PATH.
    Cost: one start of `--version` a file and change of it; folders are looked through every 30 s.
    Errors: none; a program that does not run is left out. Source: the file system.
    """
    return _programs_in(os.environ.get("PATH", ""), int(time.monotonic() // REMEMBERED_S))


@lru_cache(maxsize=1)
def _programs_in(path_folders: str, period: int) -> tuple[Program, ...]:
    """The parameters are what the memory is good for: this PATH, for this period."""
    found: dict[tuple[str, tuple[int, ...]], Program] = {}
    for path in _candidates():
        stamp = path.stat()
        version = _version_of(str(path), stamp.st_mtime_ns, stamp.st_size)
        if version:
            found.setdefault((path.name, version), Program(name=path.name, path=path, version=version))
    return tuple(sorted(found.values(), key=lambda program: (program.name, tuple(-part for part in program.version))))


def _candidates() -> Iterator[Path]:
    """PostgreSQL's own folders first: in PATH Debian has a wrapper that chooses a version by itself."""
    for folder in (*_versioned_folders(), *_path_folders()):
        for name in (*POSTGRES_PROGRAMS, *REDIS_PROGRAMS):
            path = folder / name
            if path.is_file() and os.access(path, os.X_OK):
                yield path


def _versioned_folders() -> list[Path]:
    parents = [Path(parent) for parent in PARENTS]
    return [
        folder / "bin" for parent in parents if parent.is_dir() for folder in sorted(parent.iterdir(), reverse=True)
    ]


def _path_folders() -> list[Path]:
    return [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part.startswith("/")]


@lru_cache(maxsize=256)
def _version_of(path: str, changed_ns: int, size_bytes: int) -> tuple[int, ...]:
    """Asked once for each state of the file: the other parameters are its identity in the memory."""
    try:
        said = shell.run([path, "--version"], timeout_s=VERSION_TIMEOUT_S, check=False).text
    except shell.ProcessFailed:
        return ()
    matched = _VERSION.search(said)
    return tuple(int(part) for part in matched.groups() if part is not None) if matched else ()


# -- which fit ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a server could be backed up from this machine, with which program, and if not why."""

    program: Program | None
    reason: str

    @property
    def fits(self) -> bool:
        return self.program is not None


def fit_postgres(found: Sequence[Program], *, major: int) -> Fit:
    """pg_dump reads servers of its own major version and older ones; the oldest that fits is the closest."""
    dumps = sorted((p for p in found if p.name == "pg_dump"), key=lambda program: program.version)
    fitting = next((p for p in dumps if p.version[0] >= major), None)
    if fitting:
        return Fit(program=fitting, reason=f"pg_dump {fitting.version_text} reads PostgreSQL {major}")
    if not dumps:
        return Fit(
            program=None, reason=f"no pg_dump is on this machine; PostgreSQL {major} needs version {major} or newer"
        )
    newest = dumps[-1].version_text
    return Fit(
        program=None, reason=f"the newest pg_dump here is {newest}; PostgreSQL {major} needs version {major} or newer"
    )


def fit_redis(found: Sequence[Program], *, version: tuple[int, ...], is_valkey: bool = False) -> Fit:
    """An RDB needs no program to be fetched; to prove it, a server that reads its format has to load it."""
    servers = sorted((p for p in found if p.name in ("redis-server", "valkey-server")), key=lambda p: p.version)
    fitting = next((p for p in servers if _can_load(p, version=version[:2], is_valkey=is_valkey)), None)
    if fitting:
        return Fit(program=fitting, reason=f"{fitting.name} {fitting.version_text} can load its RDB")
    name, shown = "valkey-server" if is_valkey else "redis-server", ".".join(map(str, version))
    return Fit(program=None, reason=f"no {name} of version {shown} or newer is here to prove a backup by loading it")


def _can_load(server: Program, *, version: tuple[int, ...], is_valkey: bool) -> bool:
    """The same family, as new or newer. The families parted at Redis 7.2: its format is the last that both of them read."""
    if server.name == "valkey-server" and not is_valkey:
        return version <= LAST_COMMON_REDIS
    return (server.name == "valkey-server") == is_valkey and server.version[:2] >= version
