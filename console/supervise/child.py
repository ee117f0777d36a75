"""One part while it runs: started, watched, started again when it crashes, given up when it crashes too often."""

from __future__ import annotations

import signal
import time
from collections import deque

from apps.engine.connections import shell
from console.supervise.parts import Part
from console.supervise.plan import PROJECT, StartPlan
from console.supervise.terminal import OutputLog, say

CRASHES_MAX_COUNT = 5
CRASHES_WITHIN_S = 60.0
BACKOFF_MAX_S = 8.0


class Child:
    """Start it and call `watch` from the main thread: the process is bound to the life of the thread that starts it."""

    def __init__(self, part: Part, plan: StartPlan) -> None:
        self.part = part
        self._environment = plan.environment()
        self._log = OutputLog(part.name, plan.logs)
        self._process: shell.Process | None = None
        self._crashes: deque[float] = deque(maxlen=CRASHES_MAX_COUNT)
        self._start_at = 0.0
        self.gave_up = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        self._process = shell.start(
            self.part.words,
            env=self._environment,
            folder=PROJECT,
            stdout=shell.PIPE,
            stderr=shell.STDOUT,
            name=self.part.name,
        )
        if self._process.stdout is not None:
            self._log.follow(self._process.stdout)

    def watch(self) -> None:
        """Notice an end, wait out the backoff, start again. Call it every moment; it never blocks for long."""
        if self.gave_up:
            return
        if self._process is None:
            if time.monotonic() >= self._start_at:
                self.start()
        elif (code := self._process.code) is not None:
            self._note_crash(code)

    def stop(self) -> None:
        """Quietly nothing when it does not run. Leaves no process of its group."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(number=signal.SIGTERM, timeout_s=self.part.stop_timeout_s)
            self._log.finish()

    def _note_crash(self, code: int) -> None:
        self.stop()  # its group may have outlived it
        now = time.monotonic()
        self._crashes.append(now)
        recent = [at for at in self._crashes if now - at < CRASHES_WITHIN_S]
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if len(recent) >= CRASHES_MAX_COUNT:
            self._give_up(how)
            return
        pause_s = min(0.5 * 2 ** (len(recent) - 1), BACKOFF_MAX_S)
        self._start_at = now + pause_s
        say(f"{self.part.name} {how}; it is started again in {pause_s:g} s.")

    def _give_up(self, how: str) -> None:
        self.gave_up = True
        times = f"{CRASHES_MAX_COUNT} times within {CRASHES_WITHIN_S:g} s"
        say(f"{self.part.name} {how}, {times}: it is given up. Its last words (all of them: {self._log.path}):")
        say(self._log.last_lines, name=self.part.name)
