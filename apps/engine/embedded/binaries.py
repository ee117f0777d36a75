"""Which redis-server and which PostgreSQL are at hand, the best first: the machine's, Debian's packages, the wheels.

`find_*` may download (Debian packages, once, into `cache_dir`); `all_*` never does. Two environment variables steer both:
SIGNALBOX_BINARY_SOURCES, a comma list of machine, debian, wheel, limits where to look; SIGNALBOX_TEST_BINARIES, a colon
list of folders, adds binaries to `all_*` for the version matrix of the tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from apps.engine.embedded import debian, wheels
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.recognise import PostgresBinaries, RedisBinary, Source, postgres_in, redis_in

__all__ = ["PostgresBinaries", "RedisBinary", "all_postgres", "all_redis", "find_postgres", "find_redis"]

SOURCES: tuple[Source, ...] = ("machine", "debian", "wheel")

POSTGRES_PARENTS = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr/pgsql")
WHEELS_COMMAND = "pip install --require-hashes -r requirements-embedded.txt"


class _Versioned(Protocol):
    @property
    def version(self) -> tuple[int, ...]: ...


Found = TypeVar("Found", RedisBinary, PostgresBinaries)


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
    found += [each for folder in _test_folders() for each in redis_in(folder, "machine")]
    unique = {(each.flavour, each.version): each for each in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda each: each.version, reverse=True))


def all_postgres(cache_dir: Path) -> tuple[PostgresBinaries, ...]:
    """Every PostgreSQL at hand, newest first, one per version. Downloads nothing."""
    found = [*_machine_postgres(), *_unpacked_postgres(cache_dir), *_wheel_postgres()]
    found += [each for folder in _test_folders() for each in postgres_in(folder, "machine")]
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
    return [each for folder in folders for each in redis_in(folder, "machine")]


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
    return [each for folder in [*versioned, *_path_folders()] for each in postgres_in(folder, "machine")]


def _unpacked_redis(cache_dir: Path) -> list[RedisBinary]:
    unpacked = debian.unpacked(cache_dir, "redis")
    return redis_in(unpacked.root / "usr/bin", "debian", unpacked.library_dirs) if unpacked else []


def _debian_redis(cache_dir: Path) -> list[RedisBinary]:
    unpacked = debian.fetch(cache_dir, "redis")
    return redis_in(unpacked.root / "usr/bin", "debian", unpacked.library_dirs)


def _unpacked_postgres(cache_dir: Path) -> list[PostgresBinaries]:
    unpacked = debian.unpacked(cache_dir, "postgres")
    return _postgres_unpacked(unpacked) if unpacked else []


def _debian_postgres(cache_dir: Path) -> list[PostgresBinaries]:
    return _postgres_unpacked(debian.fetch(cache_dir, "postgres"))


def _postgres_unpacked(unpacked: debian.Unpacked) -> list[PostgresBinaries]:
    folders = sorted((unpacked.root / "usr/lib/postgresql").glob("*/bin"))
    return [each for folder in folders for each in postgres_in(folder, "debian", unpacked.library_dirs)]


def _wheel_redis() -> list[RedisBinary]:
    folder = wheels.redis_folder()
    return redis_in(folder, "wheel") if folder else []


def _wheel_postgres() -> list[PostgresBinaries]:
    return [each for folder in wheels.postgres_folders() for each in postgres_in(folder, "wheel")]
