"""One panel of a page: what was read, or why it could not be. A failing panel never takes its page along."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from apps.engine.errors import EngineError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel(Generic[Value]):
    """Exactly one of `value` and `error` is there. `took_s` is the time of reading, for the panel's footer."""

    value: Value | None
    error: EngineError | None
    took_s: float

    @property
    def ok(self) -> bool:
        return self.error is None


def read_panel(question: Callable[[], Value]) -> Panel[Value]:
    """Ask, and keep an EngineError as a part of the answer. Anything else is a bug and goes up."""
    begun = time.monotonic()
    try:
        value = question()
    except EngineError as error:
        return Panel(value=None, error=error, took_s=time.monotonic() - begun)
    return Panel(value=value, error=None, took_s=time.monotonic() - begun)
