"""Workers as processes, that are killed; a second client that writes meanwhile and counts what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from apps.operations import reaping
from apps.operations.models import Run
from tests.real_servers import RedisServer

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
