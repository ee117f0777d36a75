"""What goes on in the demo: one module a subject. Each has `prepare`, done once, and `ticks`, done again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A small piece of traffic, done every `every_s` seconds."""

    name: str
    every_s: float
    do: Callable[[], None]


def keep_doing(tick: Tick, stop: threading.Event) -> None:
    """Until stopped. An error (the server restarts, somebody removed a table) is logged, waited out and tried again."""
    while not stop.wait(tick.every_s):
        try:
            tick.do()
        except Exception as error:
            log.warning("demo traffic failed", tick=tick.name, error=str(error)[:200])
            stop.wait(5)
