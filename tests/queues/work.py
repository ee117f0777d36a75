"""What the jobs of these tests do."""

from __future__ import annotations


class MailRefused(Exception):
    pass


def greet(name: str = "somebody") -> str:
    return f"hello {name}"


def refuse(address: str) -> None:
    raise MailRefused(f"550 {address} is not known here")


def divide(by: int) -> float:
    return 1 / by
