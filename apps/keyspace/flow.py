"""Pages under way: while the server works on one, the other is packed and written to disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

from apps.engine.pacing import Steps


class Flow:
    """Steps pages in turn, at most `most` at once. Where an error ends one, the others are left where they stand."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._pages: deque[Generator[None, None, None]] = deque()
        self._is_taken = False

    def add(self, page: Steps[None]) -> None:
        """Begin it, as soon as one of those before is done. Errors: those of the pages."""
        while len(self._pages) >= self._most:
            self._step()
        self._pages.append(page)
        self._step_last()

    def drain(self) -> None:
        """Until every page is done. Errors: those of the pages."""
        while self._pages:
            self._step()

    def _step(self) -> None:
        self._pages.rotate(-1)
        self._step_last()

    def _step_last(self) -> None:
        try:
            next(self._pages[-1])
        except StopIteration:
            self._pages.pop()

    def alone(self) -> Steps[None]:
        """Wait until no other page is between its first change and its last. Give it back with `next_may`."""
        while self._is_taken:
            yield
        self._is_taken = True

    def next_may(self) -> None:
        self._is_taken = False
