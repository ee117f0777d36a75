"""Server time of every page on the living demo, against a bare Django page that shows the same tables.

    make benchmark-pages            (or: python -m benchmarks.pages [--rounds 30] [--warm 20])

The bare page is what a hurried colleague would write: session, signed-in user, one template with a loop over rows and cells that
were made before the clock starts; no server is asked, nothing is escaped twice, no frame stands around it. Both are called through
the same WSGI handler and middleware in one process, turn by turn, so the machine's noise meets both. Printed: medians, the ratio,
and the rows and cells shown.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 2.0
DEMO_STARTS_IN_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    path: str
    rows_count: int
    cells_count: int
    page_ms: float
    bare_ms: float

    @property
    def ratio(self) -> float:
        return self.page_ms / self.bare_ms


class Cells(HTMLParser):
    """The texts of all table cells of a page, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in_cell = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th", "dt", "dd"):
            if not self.rows:
                self.rows.append([])
            self.rows[-1].append("")
            self._in_cell += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "dt", "dd"):
            self._in_cell = max(0, self._in_cell - 1)

    def handle_data(self, data: str) -> None:
        if self._in_cell and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@contextmanager
def living_demo(data: Path, warm_s: float) -> Iterator[None]:
    """The demo as `make run` starts it, in a data folder of its own."""
    environment = {**os.environ, "SIGNALBOX_DATA": str(data)}
    run = [sys.executable, str(ROOT / "manage.py")]
    for words in (["make_keys"], ["migrate", "-v0"]):
        subprocess.run([*run, *words], env=environment, check=True, stdout=subprocess.DEVNULL)
    demo = subprocess.Popen([*run, "demo"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield from _warm(warm_s)
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(timeout=60)


def _warm(warm_s: float) -> Iterator[None]:
    import django

    django.setup()
    from apps.servers.models import Server

    ends_at = time.monotonic() + DEMO_STARTS_IN_S
    while Server.objects.filter(is_demo=True).count() < 2:
        if time.monotonic() > ends_at:
            raise SystemExit("The demo did not start in time.")
        time.sleep(0.5)
    time.sleep(warm_s)
    yield


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=30)
    arguments.add_argument("--warm", type=float, default=20.0, help="seconds of traffic before measuring")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as folder:
        os.environ |= {
            "SIGNALBOX_DATA": folder,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "ALLOW_SOCKET_TARGETS": "1",
            "REQUIRE_SECOND_FACTOR": "0",
            "LOG_LEVEL": "ERROR",
        }
        with living_demo(Path(folder), chosen.warm):
            results = measure(chosen.rounds)
    return report(results)


def measure(rounds: int) -> list[Measured]:
    from django.core.management import call_command
    from django.test import Client

    from apps.accounts.models import Assignment, Operator
    from benchmarks.bare import show

    call_command("collectstatic", "--no-input", "-v0")
    call_command("sample")
    operator = Operator.objects.create_user("benchmark", None)
    Assignment.objects.create(operator=operator, role="maintainer", granted_by="benchmark")
    client = Client()
    client.force_login(operator)
    return [_measured(client, path, rounds, show) for path in paths()]


def paths() -> list[str]:
    pages = [
        "/",
        "/queues/",
        "/backups/",
        "/servers/demo-redis/",
        "/servers/demo-postgres/",
        "/servers/demo-redis/keyspace/",
    ]
    for capability in ("queues", "slow", "activity", "acl", "upkeep", "backups"):
        pages += [f"/servers/demo-redis/{capability}/", f"/servers/demo-postgres/{capability}/"]
    return pages


def _measured(client: object, path: str, rounds: int, show: object) -> Measured:
    cells = Cells()
    response = client.get(path)  # type: ignore[attr-defined]
    if response.status_code != 200:
        raise SystemExit(f"{path} answered {response.status_code}")
    cells.feed(response.content.decode())
    show.rows = cells.rows  # type: ignore[attr-defined]
    page, bare = [], []
    for _ in range(rounds):
        page.append(_timed(client, path))
        bare.append(_timed(client, "/bare/"))
    return Measured(
        path=path,
        rows_count=len(cells.rows),
        cells_count=sum(map(len, cells.rows)),
        page_ms=statistics.median(page),
        bare_ms=statistics.median(bare),
    )


def _timed(client: object, path: str) -> float:
    begun = time.perf_counter()
    client.get(path)  # type: ignore[attr-defined]
    return (time.perf_counter() - begun) * 1000


def report(results: list[Measured]) -> int:
    print(f"{'page':<36} {'rows':>5} {'cells':>6} {'page ms':>8} {'bare ms':>8} {'ratio':>6}")
    for result in results:
        mark = "" if result.ratio <= LIMIT else f"  over {LIMIT}"
        print(
            f"{result.path:<36} {result.rows_count:>5} {result.cells_count:>6} {result.page_ms:>8.1f}"
            f" {result.bare_ms:>8.1f} {result.ratio:>6.2f}{mark}"
        )
    worst = max(results, key=lambda r: r.ratio)
    print(f"worst: {worst.path} at {worst.ratio:.2f} x; median {statistics.median(r.ratio for r in results):.2f} x")
    return 0 if worst.ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
