"""PostgreSQL's programs at a place that the account it runs as can reach: where they are, or a copy under /var/tmp."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from apps.engine.connections.shell import Account
from apps.engine.embedded import place
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.recognise import PostgresBinaries

COPIES = Path("/var/tmp")  # noqa: S108 - ownership is checked before anything there is used


def reachable_programs(binaries: PostgresBinaries, account: Account | None) -> PostgresBinaries:
    """The same programs, copied once (30 to 110 MB) when the account cannot reach them. Errors: EmbeddedError."""
    if place.can_reach(binaries.bin_dir / "postgres", account):
        return binaries
    root = _installation_root(binaries)
    copy = COPIES / f"signalbox-programs-{os.geteuid()}-{_fingerprint(binaries)}"
    if not copy.exists():
        _copy(root, copy)
    found = copy.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022 or copy.is_symlink():
        raise EmbeddedError(f"{copy} belongs to somebody else.", way_out="Remove it.")
    moved = tuple(copy / each.relative_to(root) for each in binaries.library_dirs)
    return replace(binaries, bin_dir=copy / binaries.bin_dir.relative_to(root), library_dirs=moved)


def _installation_root(binaries: PostgresBinaries) -> Path:
    """The folder under which programs, libraries and shared files keep their places relative to each other."""
    return binaries.bin_dir.parents[4] if binaries.source == "debian" else binaries.bin_dir.parent


def _fingerprint(binaries: PostgresBinaries) -> str:
    """Of what is copied and not of where it is, so that the same package is copied once for all consoles of a machine."""
    found = (binaries.bin_dir / "postgres").stat()
    return hashlib.sha256(f"{binaries.label} {found.st_size} {found.st_mtime_ns}".encode()).hexdigest()[:12]


def _copy(root: Path, copy: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=".signalbox-programs-", dir=copy.parent))
    try:
        shutil.copytree(root, draft / "root", symlinks=True)
        (draft / "root").chmod(0o755)
        with contextlib.suppress(OSError):  # another process was faster: its copy is as good
            (draft / "root").rename(copy)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
