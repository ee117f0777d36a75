"""What a binary on the disk is: its version, its flavour, and what a server made of it lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apps.engine.connections import shell

Flavour = Literal["redis", "valkey"]
Source = Literal["machine", "debian", "wheel"]

OLDEST_REDIS = (6, 0, 0)
OLDEST_POSTGRES = (13, 0)
VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisBinary:
    """One redis-server or valkey-server. `lacks` says in words what a server made of it cannot do."""

    server: Path
    version: tuple[int, int, int]
    flavour: Flavour
    source: Source
    lacks: tuple[str, ...]
    library_dirs: tuple[Path, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.flavour} {'.'.join(map(str, self.version))} ({self.source})"

    @property
    def has_tls(self) -> bool:
        return "no TLS" not in self.lacks


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresBinaries:
    """One folder with postgres, initdb and, mostly, the client programs of the same version."""

    bin_dir: Path
    version: tuple[int, int]
    source: Source
    lacks: tuple[str, ...]
    library_dirs: tuple[Path, ...] = ()

    @property
    def label(self) -> str:
        return f"postgresql {'.'.join(map(str, self.version))} ({self.source})"

    @property
    def has_tls(self) -> bool:
        return "no TLS" not in self.lacks


def library_environment(library_dirs: Iterable[Path]) -> dict[str, str]:
    """The environment with which an unpacked package finds the libraries that were unpacked beside it."""
    joined = os.pathsep.join(map(str, library_dirs))
    return {"LD_LIBRARY_PATH": joined} if joined else {}


def redis_in(folder: Path, source: Source, library_dirs: tuple[Path, ...] = ()) -> list[RedisBinary]:
    """At most one of each flavour. A redis-server that is a Valkey under its old name counts as what it is."""
    found: dict[Flavour, RedisBinary] = {}
    for name in ("redis-server", "valkey-server"):
        server = folder / name
        said = _version_text(server, library_dirs)
        matched = re.search(r"v=(\d+)\.(\d+)\.(\d+)", said)
        if not matched:
            continue
        version = (int(matched[1]), int(matched[2]), int(matched[3]))
        flavour: Flavour = "valkey" if "valkey" in said.lower() or name == "valkey-server" else "redis"
        if version >= OLDEST_REDIS:
            lacks = _redis_lacks(server, version)
            found[flavour] = RedisBinary(
                server=server, version=version, flavour=flavour, source=source, lacks=lacks, library_dirs=library_dirs
            )
    return list(found.values())


def postgres_in(folder: Path, source: Source, library_dirs: tuple[Path, ...] = ()) -> list[PostgresBinaries]:
    server = folder / "postgres"
    matched = re.search(r"PostgreSQL\) (\d+)\.(\d+)", _version_text(server, library_dirs))
    if not matched or not (server.resolve().parent / "initdb").exists():
        return []
    version = (int(matched[1]), int(matched[2]))
    if version < OLDEST_POSTGRES:
        return []
    home = server.resolve().parent
    return [
        PostgresBinaries(
            bin_dir=home, version=version, source=source, lacks=_postgres_lacks(home, source), library_dirs=library_dirs
        )
    ]


def _version_text(server: Path, library_dirs: tuple[Path, ...]) -> str:
    if not os.access(server, os.X_OK):
        return ""
    try:
        environment = library_environment(library_dirs)
        return shell.run([server, "--version"], timeout_s=VERSION_TIMEOUT_S, env=environment, check=False).text
    except shell.ProcessFailed:
        return ""


def _is_linked_to_tls(program: Path) -> bool:
    """Whether the program names OpenSSL among its libraries: `--version` does not tell."""
    return b"libssl" in program.read_bytes()


def _redis_lacks(server: Path, version: tuple[int, int, int]) -> tuple[str, ...]:
    lacks = [] if _is_linked_to_tls(server) else ["no TLS"]
    if version < (6, 2, 0):
        lacks.append("no GETDEL, COPY or XAUTOCLAIM")
    if version < (7, 0, 0):
        lacks += ["no ACL DRYRUN", "no LATENCY HISTOGRAM"]
    return tuple(lacks)


def _postgres_lacks(bin_dir: Path, source: Source) -> tuple[str, ...]:
    lacks = [] if _is_linked_to_tls(bin_dir / "postgres") else ["no TLS"]
    if not _has_statement_statistics(bin_dir):
        lacks.append("no pg_stat_statements or other extensions")
    if source == "debian":
        lacks.append("no JIT")
    return tuple(lacks)


def _has_statement_statistics(bin_dir: Path) -> bool:
    major = bin_dir.parent.name
    places = [bin_dir.parent / "share", *(parent / "share" for parent in bin_dir.parents[2:4])]
    names = ["extension", "postgresql/extension", f"postgresql/{major}/extension", "postgresql@" + major + "/extension"]
    return any((place / name / "pg_stat_statements.control").exists() for place in places for name in names)
