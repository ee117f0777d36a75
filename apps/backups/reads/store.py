"""Where backup files would be kept, and whether there is room."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """`folder` need not exist yet; the figures are those of the file system that it would be on."""

    folder: Path
    exists: bool
    is_writable: bool
    free_bytes: int
    total_bytes: int

    @property
    def used_ratio(self) -> float:
        return 1 - self.free_bytes / self.total_bytes if self.total_bytes else 1.0


def store_of(folder: Path) -> Store:
    """Shape: one Store. Units: bytes. Cost: a few system calls; nothing is made. Errors: OSError. Source: the file system."""
    near = next(parent for parent in (folder, *folder.parents) if parent.exists())
    usage = shutil.disk_usage(near)
    return Store(
        folder=folder,
        exists=folder.exists(),
        is_writable=os.access(near, os.W_OK | os.X_OK),
        free_bytes=usage.free,
        total_bytes=usage.total,
    )
