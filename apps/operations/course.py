"""The course of a run: how far it was and what others felt, second by second, thinned out as it grows so that it stays small."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MOST = 240


@dataclass(slots=True)
class Course:
    """`points` are [seconds since 1970, things done, p99 of others' round trips in s or None]. Every n-th is kept."""

    points: list[list[float | None]] = field(default_factory=list)
    every: int = 1
    _seen: int = 0

    def add(self, at: datetime, done_count: int, p99_s: float | None) -> None:
        self._seen += 1
        if self._seen % self.every:
            return
        self.points.append([at.timestamp(), done_count, p99_s])
        if len(self.points) > MOST:
            del self.points[1::2]
            self.every *= 2

    def to_json(self) -> dict[str, Any]:
        return {"points": list(self.points), "every": self.every}

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None) -> Course:
        return cls(points=list(stored["points"]), every=int(stored["every"])) if stored else cls()

    def per_s(self) -> list[tuple[datetime, float]]:
        """Things a second between two points."""
        found = []
        for (at, done, _), (then, more, _) in zip(self.points, self.points[1:], strict=False):
            if at is not None and then is not None and done is not None and more is not None and then > at:
                found.append((datetime.fromtimestamp(then, UTC), max(0.0, (more - done) / (then - at))))
        return found

    def felt_s(self) -> list[tuple[datetime, float]]:
        return [
            (datetime.fromtimestamp(at, UTC), p99) for at, _, p99 in self.points if at is not None and p99 is not None
        ]
