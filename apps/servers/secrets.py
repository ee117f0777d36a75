"""Where the passwords and keys of servers are kept: sealed to their row and to the addresses they were given for.

A secret is the text itself, or a reference (`env:NAME`, `file:/path`) that is read at every use; references too are sealed,
so that whoever edits an address in the database gets neither the one nor the other sent there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.conf import settings

from apps.engine.errors import SecretUnusable
from apps.engine.secretbox import SecretBox
from apps.engine.target import Address

AGAIN = "Enter the password again."
MOST_BYTES = 64 * 1024
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\0]+")


def box() -> SecretBox:
    return _box(settings.SECRETBOX_KEYS)


@cache
def _box(keys: str) -> SecretBox:
    return SecretBox(keys)


def bound_to(row: str, addresses: Iterable[Address], database: str) -> str:
    """The context of a sealed secret: its row, and where it may be sent. Other nodes, in any order, are another place."""
    places = ",".join(sorted(str(address) for address in addresses))
    return f"{row}:{places}/{database}"


def open_sealed(sealed: str, context: str) -> str:
    """Errors: SecretUnusable, also when the address has changed since the secret was given."""
    try:
        return box().open(sealed, context)
    except SecretUnusable as error:
        if "key" in error.message:
            raise
        raise SecretUnusable(
            "The stored password was given for another address, or its row was changed.", way_out=AGAIN
        ) from error


def is_reference(text: str) -> bool:
    return _REFERENCE.fullmatch(text) is not None


def follow(reference: str) -> str:
    """The secret behind `env:NAME` or `file:/path`, without the newline at its end.

    Errors: SecretUnusable when there is no such variable or file, or it cannot be read.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise SecretUnusable(
                f"The variable {name} is not set here.", way_out="Set it for every process of the console."
            )
        return os.environ[name]
    try:
        with Path(name).open(encoding="utf-8") as file:
            return file.read(MOST_BYTES).removesuffix("\n")
    except (OSError, UnicodeError) as error:
        raise SecretUnusable(
            f"The file {name} cannot be read here.", way_out="Check that it exists and that the console may read it."
        ) from error
