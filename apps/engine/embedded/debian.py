"""Fetches Debian's (or Ubuntu's) own packages into a private folder and unpacks them there: no root, nothing installed.

`apt-get download` verifies each package against the signed lists. Where the machine has no lists (a slim image), they
are fetched into the private folder, which needs no root either.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apps.engine.connections import shell
from apps.engine.embedded.errors import EmbeddedError

What = Literal["redis", "postgres"]

# What comes with every Debian, or is only needed for what an embedded server does without (JIT, PL/Perl).
NOT_NEEDED = re.compile(
    r"^lib(c6|c-bin|c-l10n|gcc-s1|stdc\+\+6|llvm\d.*|z3-\d|.*perl.*|pam-.*|elogind0|newt.*|slang2|cdebconf.*|debian-.*|textwrap1)$"
)
LISTS_TIMEOUT_S = 180.0
DOWNLOAD_TIMEOUT_S = 300.0
STEP_TIMEOUT_S = 60.0
LISTS_WAY_OUT = "Run `apt-get update` as root once, or check that this machine reaches its package mirror."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A folder that looks like the root of a system, with the packages in it."""

    root: Path
    library_dirs: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apt:
    """How apt is called: with the machine's lists, or with private ones."""

    options: tuple[str, ...] = ()

    def lines(
        self, program: str, *words: str, timeout_s: float = STEP_TIMEOUT_S, folder: Path | None = None
    ) -> list[str]:
        done = shell.run(
            [program, *self.options, *words], timeout_s=timeout_s, folder=folder, env=clean_apt_environment()
        )
        return done.text.splitlines()


def clean_apt_environment() -> dict[str, str]:
    """What apt may know of our environment: how to reach its mirror, and an own configuration if the user has one."""
    names = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "APT_CONFIG")
    return {name: os.environ[name] for name in names if name in os.environ}


def unpacked(cache_dir: Path, what: What) -> Unpacked | None:
    """What an earlier fetch left, or None. Cost: a folder listing."""
    root = cache_dir / f"debian-{what}"
    if not (root / "usr").is_dir():
        return None
    library_dirs = [
        place for place in (*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*")) if place.is_dir()
    ]
    return Unpacked(root=root, library_dirs=tuple(library_dirs))


def fetch(cache_dir: Path, what: What) -> Unpacked:
    """The unpacked packages, fetched first when they are not there yet.

    Cost: up to 30 MB of download and some seconds, once. Errors: EmbeddedError with the way out.
    """
    if (already := unpacked(cache_dir, what)) is not None:
        return already
    missing = [program for program in ("apt-get", "apt-cache", "dpkg") if shutil.which(program) is None]
    if missing or not sys.platform.startswith("linux"):
        raise EmbeddedError("this is no Debian or Ubuntu (no apt-get)")
    try:
        _fetch(cache_dir, what)
    except shell.ProcessFailed as error:
        raise EmbeddedError(
            f"Debian's packages could not be fetched: {error.message}", way_out=LISTS_WAY_OUT
        ) from error
    done = unpacked(cache_dir, what)
    if done is None:
        raise EmbeddedError("Debian's packages held no programs", way_out=LISTS_WAY_OUT)
    return done


def _fetch(cache_dir: Path, what: What) -> None:
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".fetch-") as made:
        work = Path(made)
        apt = _apt_with_lists(cache_dir)
        roots = ["redis-server", "redis-tools"] if what == "redis" else _postgres_packages(apt)
        (work / "packages").mkdir()
        names = [*roots, *_libraries(apt, roots)]
        apt.lines("apt-get", "download", *names, timeout_s=DOWNLOAD_TIMEOUT_S, folder=work / "packages")
        _unpack(work / "packages", work / "root")
        with contextlib.suppress(OSError):  # another process was faster: its folder is as good
            (work / "root").rename(cache_dir / f"debian-{what}")


def _unpack(packages: Path, root: Path) -> None:
    root.mkdir()
    for package in sorted(packages.glob("*.deb")):
        shell.run(["dpkg", "-x", package, root], timeout_s=STEP_TIMEOUT_S)
    for unneeded in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / unneeded, ignore_errors=True)
    # dpkg -x keeps the modes of the packages; the account of a server must be able to pass.
    root.chmod(0o755)


def _apt_with_lists(cache_dir: Path) -> _Apt:
    """The machine's lists when they know Redis, else private ones."""
    if _knows(_Apt(), "redis-server"):
        return _Apt()
    private = _private_apt(cache_dir / "apt")
    if not _knows(private, "redis-server"):
        private.lines("apt-get", "update", "-qq", timeout_s=LISTS_TIMEOUT_S)
    if not _knows(private, "redis-server"):
        raise EmbeddedError("apt knows no package redis-server", way_out=LISTS_WAY_OUT)
    return private


def _knows(apt: _Apt, name: str) -> bool:
    """Whether a list names a place to fetch it from: that it is installed is not enough."""
    with contextlib.suppress(shell.ProcessFailed):
        return any(line.endswith("Packages") for line in apt.lines("apt-cache", "policy", name))
    return False


def _private_apt(folder: Path) -> _Apt:
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sandbox = ("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()
    places = ("-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache", "-o", "Debug::NoLocking=1")
    return _Apt(options=(*sandbox, *places))


def _postgres_packages(apt: _Apt) -> list[str]:
    """The server and the client of the release's own major version, e.g. postgresql-15."""
    for line in apt.lines("apt-cache", "depends", "postgresql"):
        if matched := re.search(r"Depends: (postgresql-(\d+))$", line):
            return [matched[1], f"postgresql-client-{matched[2]}"]
    raise EmbeddedError("apt knows no PostgreSQL server package", way_out=LISTS_WAY_OUT)


def _libraries(apt: _Apt, roots: list[str]) -> list[str]:
    """The shared libraries that the packages need, and what those need."""
    skipped = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
    lines = apt.lines("apt-cache", "depends", "--recurse", *skipped, *roots)
    named = {line.strip() for line in lines if re.match(r"^lib[a-z0-9.+-]+$", line)}
    return sorted(name for name in named if not NOT_NEEDED.match(name))
