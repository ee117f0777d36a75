"""Reads the console's own configuration from the environment, with an error that says what to write."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def flag(name: str, *, default: bool = False) -> bool:
    value = os.environ.get(name, "1" if default else "0").strip().lower()
    if value in TRUE | FALSE:
        return value in TRUE
    raise ImproperlyConfigured(f"{name}={value!r}: write 1 or 0.")


def number(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, "") or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} has to be a whole number.") from error


def words(name: str, default: str = "") -> list[str]:
    return [word for word in os.environ.get(name, default).replace(",", " ").split() if word]


def networks(name: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(word) for word in words(name))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}. Write networks such as 10.20.0.0/16.") from error


def ports(name: str) -> tuple[tuple[int, int], ...]:
    """`6379-6390 5432` as ((6379, 6390), (5432, 5432))."""
    try:
        pairs = [word.split("-") for word in words(name)]
        return tuple((int(pair[0]), int(pair[-1])) for pair in pairs)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: write ports such as 6379-6390 5432.") from error


def secret(name: str) -> str:
    """A secret that may be absent: from the variable `NAME`, or from the file named by `NAME_FILE`."""
    path = text(f"{name}_FILE")
    try:
        return text(name) or (Path(path).read_text().strip() if path else "")
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: {path} cannot be read.") from error


def key(folder: Path, name: str, variable: str) -> str:
    """A secret: from the variable `NAME`, from the file named by `NAME_FILE`, or from the data folder's keys."""
    if value := text(variable):
        return value
    path = Path(text(f"{variable}_FILE") or folder / name)
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The key {name} is missing: no {variable}, and {path} cannot be read. `make run` makes the keys;"
            f" elsewhere run `python manage.py make_keys`."
        ) from error
