"""Workers as processes, that are killed; a second client that writes meanwhile and counts what it wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from apps.engine.connections.redis import forget_connections
from apps.engine.embedded import binaries
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.operations import reaping
from apps.operations.models import Run
from tests.real_servers import CACHE, REDIS_SETTINGS, RedisServer, connected

PROJECT = Path(__file__).resolve().parent.parent.parent
WORKS_FOR_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Starts a process that carries out a run. `points` are how many it passed, 0 for one that was killed."""

    environment: dict[str, str]

    def __call__(self, run: Run, **how: object) -> subprocess.CompletedProcess[str]:
        process = self.start(run, **how)
        said, complaint = process.communicate(timeout=WORKS_FOR_S)
        return subprocess.CompletedProcess(process.args, process.returncode, said, complaint)

    def start(self, run: Run, **how: object) -> subprocess.Popen[str]:
        environment = {**os.environ, **self.environment, **{f"FAULTS_{k.upper()}": str(v) for k, v in how.items()}}
        words = [sys.executable, "-m", "tests.faults.worker", str(run.pk)]
        return subprocess.Popen(
            words, env=environment, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    @contextmanager
    def paused(self, run: Run, *, at: int) -> Iterator[subprocess.Popen[str]]:
        """A worker that stands still at this point while the test does something, and then goes on to its end."""
        process = self.start(run, at=at, how="pause")
        try:
            until(lambda: _state_of(process.pid) == "T")
            yield process
            process.send_signal(signal.SIGCONT)
            _, complaint = process.communicate(timeout=WORKS_FOR_S)
            assert process.returncode == 0, complaint
        finally:
            process.kill()


def _state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until(true: Callable[[], bool], *, within_s: float = 30) -> None:
    ends_at = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends_at, "it never came to that"
        time.sleep(0.02)


@pytest.fixture
def worker(transactional_db: None, settings: Settings, tmp_path: Path, private_folders: None) -> Worker:
    settings.BACKUP_FOLDER = tmp_path / "backups"
    return Worker(
        environment={
            "FAULTS_DATABASE": str(connection.settings_dict["NAME"]),
            "FAULTS_ARCHIVES": str(settings.ARCHIVE_FOLDER),
            "FAULTS_BACKUPS": str(settings.BACKUP_FOLDER),
        }
    )


def silent(run: Run) -> None:
    """As if a minute had gone by since the worker was heard of."""
    Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - reaping.SILENT_FOR - timedelta(seconds=1))


OwnRedis = Callable[..., RedisServer]


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """Redis servers of this test alone, that it may stop."""
    begun: list[RedisServer] = []

    def start(**settings: str) -> RedisServer:
        folder = tmp_path / f"redis-{len(begun)}"
        embedded = EmbeddedRedis(
            binaries.find_redis(CACHE), folder, port=free_port(), settings={**REDIS_SETTINGS, **settings}
        )
        begun.append(connected(embedded.start()))
        return begun[-1]

    yield start
    forget_connections()
    for server in begun:
        server.client.close()
        server.embedded.stop()


@dataclass(slots=True)
class Counting:
    """Counts `names` up, one after the other, as fast as it can. `written` says how often each was."""

    server: RedisServer
    names: list[bytes]
    written: dict[bytes, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Counting:
        self.written = dict.fromkeys(self.names, 0)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def _work(self) -> None:
        client: Any = self.server.client
        with client.client() as other:
            while not self._over.is_set():
                for name in self.names:
                    other.execute_command("INCR", name)
                    self.written[name] += 1
                    self._over.wait(0.0005)


@pytest.fixture
def counting(redis_clean: RedisServer) -> Iterator[Callable[[list[bytes]], Counting]]:
    yield lambda names: Counting(redis_clean, names)
