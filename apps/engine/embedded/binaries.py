"""Which redis-server and which PostgreSQL are at hand, the best first: the machine's, Debian's packages, the wheels.

`find_*` may download (Debian packages, once, into `cache_dir`); `all_*` never does. Two environment variables steer both:
SIGNALBOX_BINARY_SOURCES, a comma list of machine, debian, wheel, limits where to look; SIGNALBOX_TEST_BINARIES, a colon
list of folders, adds binaries to `all_*` for the version matrix of the tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from apps.engine.connections import shell
from apps.engine.embedded import debian, wheels
from apps.engine.embedded.errors import EmbeddedError

Flavour = Literal["redis", "valkey"]
Source = Literal["machine", "debian", "wheel"]
SOURCES: tuple[Source, ...] = ("machine", "debian", "wheel")

OLDEST_REDIS = (6, 0, 0)
OLDEST_POSTGRES = (13, 0)
POSTGRES_PARENTS = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr/pgsql")
VERSION_TIMEOUT_S = 10.0
WHEELS_COMMAND = "pip install --require-hashes -r requirements-embedded.txt"


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


class _Versioned(Protocol):
    @property
    def version(self) -> tuple[int, ...]: ...


Found = TypeVar("Found", RedisBinary, PostgresBinaries)


def library_environment(library_dirs: Iterable[Path]) -> dict[str, str]:
    """The environment with which an unpacked package finds the libraries that were unpacked beside it."""
    joined = os.pathsep.join(map(str, library_dirs))
    return {"LD_LIBRARY_PATH": joined} if joined else {}


def find_redis(cache_dir: Path) -> RedisBinary:
    """The best redis-server.

    Cost: some process starts; once a download of some 5 MB when the machine has none.
    Errors: EmbeddedError when there is none, with what was tried and what to do.
    """
    return _first("Redis", "redis-server", _redis_by_source(cache_dir))


def find_postgres(cache_dir: Path) -> PostgresBinaries:
    """The best PostgreSQL. Cost: as `find_redis`, with some 30 MB. Errors: EmbeddedError."""
    return _first("PostgreSQL", "postgresql", _postgres_by_source(cache_dir))


def all_redis(cache_dir: Path) -> tuple[RedisBinary, ...]:
    """Every redis-server and valkey-server at hand, newest first, one per flavour and version. Downloads nothing."""
    found = [*_machine_redis(), *_unpacked_redis(cache_dir), *_wheel_redis()]
    found += [each for folder in _test_folders() for each in _redis_in(folder, "machine")]
    unique = {(each.flavour, each.version): each for each in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda each: each.version, reverse=True))


def all_postgres(cache_dir: Path) -> tuple[PostgresBinaries, ...]:
    """Every PostgreSQL at hand, newest first, one per version. Downloads nothing."""
    found = [*_machine_postgres(), *_unpacked_postgres(cache_dir), *_wheel_postgres()]
    found += [each for folder in _test_folders() for each in _postgres_in(folder, "machine")]
    unique = {each.version: each for each in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda each: each.version, reverse=True))


# -- in which order ---------------------------------------------------------------------------------------------------


def _first(what: str, package: str, looks: Iterable[tuple[Source, Callable[[], Iterable[Found]]]]) -> Found:
    tried: list[str] = []
    for source, look in looks:
        try:
            for found in look():
                return found
            tried.append(f"{source}: none")
        except EmbeddedError as error:
            tried.append(f"{source}: {error.message}")
    raise EmbeddedError(
        f"No {what} binary was found ({'; '.join(tried)}).",
        way_out=f"Install it (on Debian and Ubuntu: apt-get install {package}) or run: {WHEELS_COMMAND}",
    )


def _wanted_sources() -> tuple[Source, ...]:
    named = os.environ.get("SIGNALBOX_BINARY_SOURCES", "")
    wanted = tuple(source for source in SOURCES if source in named.replace(" ", "").split(","))
    return wanted or SOURCES


def _redis_by_source(cache_dir: Path) -> Iterator[tuple[Source, Callable[[], Iterable[RedisBinary]]]]:
    looks: dict[Source, Callable[[], Iterable[RedisBinary]]] = {
        "machine": lambda: _best(_machine_redis()),
        "debian": lambda: _debian_redis(cache_dir),
        "wheel": _wheel_redis,
    }
    return ((source, looks[source]) for source in _wanted_sources())


def _postgres_by_source(cache_dir: Path) -> Iterator[tuple[Source, Callable[[], Iterable[PostgresBinaries]]]]:
    looks: dict[Source, Callable[[], Iterable[PostgresBinaries]]] = {
        "machine": lambda: _best(_machine_postgres()),
        "debian": lambda: _debian_postgres(cache_dir),
        "wheel": lambda: _best(_wheel_postgres()),
    }
    return ((source, looks[source]) for source in _wanted_sources())


def _best(found: Iterable[Found]) -> list[Found]:
    return sorted(found, key=_version_of, reverse=True)


def _version_of(found: _Versioned) -> tuple[int, ...]:
    return found.version


# -- where to look ----------------------------------------------------------------------------------------------------


def _path_folders() -> list[Path]:
    return [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part.startswith("/")]


def _test_folders() -> list[Path]:
    named = os.environ.get("SIGNALBOX_TEST_BINARIES", "")
    roots = [Path(part).resolve() for part in named.split(os.pathsep) if part]
    return [
        folder for root in roots for folder in (root, root / "bin", root / "src", root / "usr/bin") if folder.is_dir()
    ]


def _machine_redis() -> list[RedisBinary]:
    installed_wheels = wheels.redis_folder()
    folders = [folder for folder in _path_folders() if not _same_program(folder, installed_wheels)]
    return [each for folder in folders for each in _redis_in(folder, "machine")]


def _same_program(folder: Path, wheel_folder: Path | None) -> bool:
    """A virtual environment's bin/redis-server is the wheel's copy, not the machine's."""
    ours, theirs = folder / "redis-server", (wheel_folder or folder) / "redis-server"
    if wheel_folder is None or not ours.exists() or not theirs.exists():
        return False
    return ours.samefile(theirs) or ours.stat().st_size == theirs.stat().st_size


def _machine_postgres() -> list[PostgresBinaries]:
    pattern = re.compile(r"^(postgresql(@\d+)?|\d+)$")
    parents = [Path(parent) for parent in POSTGRES_PARENTS]
    versioned = [
        each / "bin" for parent in parents if parent.is_dir() for each in parent.iterdir() if pattern.match(each.name)
    ]
    return [each for folder in [*versioned, *_path_folders()] for each in _postgres_in(folder, "machine")]


def _unpacked_redis(cache_dir: Path) -> list[RedisBinary]:
    unpacked = debian.unpacked(cache_dir, "redis")
    return _redis_in(unpacked.root / "usr/bin", "debian", unpacked.library_dirs) if unpacked else []


def _debian_redis(cache_dir: Path) -> list[RedisBinary]:
    unpacked = debian.fetch(cache_dir, "redis")
    return _redis_in(unpacked.root / "usr/bin", "debian", unpacked.library_dirs)


def _unpacked_postgres(cache_dir: Path) -> list[PostgresBinaries]:
    unpacked = debian.unpacked(cache_dir, "postgres")
    return _postgres_unpacked(unpacked) if unpacked else []


def _debian_postgres(cache_dir: Path) -> list[PostgresBinaries]:
    return _postgres_unpacked(debian.fetch(cache_dir, "postgres"))


def _postgres_unpacked(unpacked: debian.Unpacked) -> list[PostgresBinaries]:
    folders = sorted((unpacked.root / "usr/lib/postgresql").glob("*/bin"))
    return [each for folder in folders for each in _postgres_in(folder, "debian", unpacked.library_dirs)]


def _wheel_redis() -> list[RedisBinary]:
    folder = wheels.redis_folder()
    return _redis_in(folder, "wheel") if folder else []


def _wheel_postgres() -> list[PostgresBinaries]:
    return [each for folder in wheels.postgres_folders() for each in _postgres_in(folder, "wheel")]


# -- what is there ----------------------------------------------------------------------------------------------------


def _redis_in(folder: Path, source: Source, library_dirs: tuple[Path, ...] = ()) -> list[RedisBinary]:
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


def _postgres_in(folder: Path, source: Source, library_dirs: tuple[Path, ...] = ()) -> list[PostgresBinaries]:
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
