"""A worker that carries out one run and can be told to die, to lose its clock or its disk, at one exact point.

    FAULTS_AT=17 python -m tests.faults.worker RUN

A point is the beginning or the end of a step that matters: commands sent to the server, its answers read, originals written, a
page settled, a checkpoint, the end written down. Without FAULTS_AT it prints how many points it passed.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.settings"
passed_count = 0


def point() -> None:
    global passed_count
    passed_count += 1
    if passed_count == int(os.environ.get("FAULTS_AT", "0")):
        fault()


def fault() -> None:
    match os.environ.get("FAULTS_HOW", "kill"):
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "clock":
            move_the_clock(timedelta(seconds=float(os.environ["FAULTS_CLOCK_S"])))
        case "pause":  # as a machine that is suspended: nothing runs, not even the heartbeat
            os.kill(os.getpid(), signal.SIGSTOP)


def move_the_clock(by: timedelta) -> None:
    from django.utils import timezone

    now = timezone.now
    timezone.now = lambda: now() + by


def around(place: Any, name: str) -> None:
    step: Callable[..., Any] = getattr(place, name)

    @wraps(step)
    def with_points(*args: Any, **more: Any) -> Any:
        point()
        result = step(*args, **more)
        point()
        return result

    setattr(place, name, with_points)


def main() -> None:
    import django

    django.setup()
    from apps.backups import sealed_file
    from apps.backups.folder import Draft
    from apps.engine.connections.postgres import PostgresNode
    from apps.engine.connections.redis import RedisNode
    from apps.operations import execution
    from apps.operations.archives import RunArchive
    from apps.operations.progress import RunProgress

    for name in ("send", "receive"):
        around(RedisNode, name)
    around(PostgresNode, "_run")
    for name in ("append", "settle", "close"):
        around(RunArchive, name)
    for name in ("check", "checkpoint", "begin"):
        around(RunProgress, name)
    for name in ("_frame", "finish"):
        around(sealed_file.SealedWriter, name)
    for name in ("writer", "publish", "close"):
        around(Draft, name)
    around(os, "fsync")
    around(execution, "close")
    if most := os.environ.get("FAULTS_FILE_BYTES"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
    execution.execute(int(sys.argv[1]))
    sys.stdout.write(f"{passed_count}\n")


if __name__ == "__main__":
    main()
