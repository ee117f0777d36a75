"""The console's own keys: made once from the system's randomness, one 0600 file each, never printed.

Losing `secretbox` loses the stored passwords of servers; losing `audit` loses the proof that the audit is whole; losing
`archive` loses the originals that undo would put back; losing `backup` loses the backups: keep a copy of it elsewhere.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from apps.engine.secretbox import new_key

KEY_BYTES = 32


def _random_key() -> str:
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _password() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


MAKERS: dict[str, Callable[[], str]] = {
    "secret_key": lambda: secrets.token_urlsafe(64),
    "secretbox": lambda: new_key("k1"),
    "audit": _random_key,
    "archive": _random_key,
    "backup": _random_key,
    "broker_password": _password,
}


def make_keys(folder: Path) -> list[str]:
    """Make the keys that are missing, leave the others. Returns the names of the new ones."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [name for name in MAKERS if not (folder / name).exists()]
    for name in missing:
        write_key(folder / name, MAKERS[name]())
    return missing


def write_key(path: Path, text: str) -> None:
    """The file appears whole and 0600, or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - a descriptor
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
