"""INFO of a Redis as a dictionary of texts, and its values as numbers."""

from __future__ import annotations

from collections.abc import Mapping


def parsed(reply: bytes) -> dict[str, str]:
    """Names and values; headings and blank lines left out."""
    lines = reply.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def pairs(line: str) -> dict[str, str]:
    """`keys=12,expires=3` as a dictionary."""
    return dict(pair.split("=", 1) for pair in line.split(",") if "=" in pair)


def number(info: Mapping[str, str], name: str) -> float | None:
    """None where the server does not say it, or says something else than a number."""
    try:
        return float(info[name])
    except (KeyError, ValueError):
        return None
