"""Server time of every page on the living demo, against a bare Django page that says the same.

    make benchmark-pages            (or: python -m benchmarks.pages [--rounds 30] [--warm 20])

The bare page is what a hurried colleague would write: session, signed-in user, one template with a loop over words, rows and
cells that were made before the clock starts; the words of the frame stand in the template. No server is asked, nothing is
escaped twice. Both are called through the same WSGI handler and middleware in one process, turn by turn, so the machine's
noise meets both. Printed are medians: the page, how much of it is waiting for the managed server, the bare page, and three
ratios to it: of the whole page, of the console's own time (without the waiting), and of processor time alone. A ratio is the
median over rounds, each of one call and the other directly after it: a machine that changes its pace spoils neither.

Two more ratios of the whole page tell what the reference leaves out or brings along: `asked` is to a bare page that also asks
the servers what the page asked them, over plain connections of the drivers, one question after the other; `alone` is to a
bare page without the console's context processors, which read the fleet for the frame of every page.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

    from benchmarks.replay import Drivers, Trip
    from benchmarks.waiting import Waiting

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 2.0
DEMO_STARTS_IN_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One call of one page. `waited_ms` of `wall_ms` at least one question to a managed server was open."""

    wall_ms: float
    processor_ms: float
    waited_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The page and what it is compared with, one directly after the other."""

    page: Turn
    bare: Turn
    asked: Turn
    alone: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One page: medians over rounds."""

    path: str
    rows_count: int
    cells_count: int
    queries_count: int
    trips_count: int
    rounds: Sequence[Round]

    def median(self, figure: Callable[[Round], float]) -> float:
        return statistics.median(map(figure, self.rounds))

    @property
    def page_ms(self) -> float:
        return self.median(lambda each: each.page.wall_ms)

    @property
    def waited_ms(self) -> float:
        return self.median(lambda each: each.page.waited_ms)

    @property
    def bare_ms(self) -> float:
        return self.median(lambda each: each.bare.wall_ms)

    @property
    def ratio(self) -> float:
        return self.median(lambda each: each.page.wall_ms / each.bare.wall_ms)

    @property
    def own_ratio(self) -> float:
        return self.median(lambda each: (each.page.wall_ms - each.page.waited_ms) / each.bare.wall_ms)

    @property
    def processor_ratio(self) -> float:
        return self.median(lambda each: each.page.processor_ms / each.bare.processor_ms)

    @property
    def asked_ratio(self) -> float:
        return self.median(lambda each: each.page.wall_ms / each.asked.wall_ms)

    @property
    def alone_ratio(self) -> float:
        return self.median(lambda each: each.page.wall_ms / each.alone.wall_ms)

    @property
    def why(self) -> str:
        """Why a page misses the limit."""
        share = self.waited_ms / self.page_ms
        asked = f"{self.trips_count} questions to servers take {self.waited_ms:.1f} of {self.page_ms:.1f} ms"
        return f"{asked} ({share:.0%}); without them {self.own_ratio:.2f} x, processor {self.processor_ratio:.2f} x"


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
    from apps.servers.models import Server
    from benchmarks.replay import drivers
    from benchmarks.waiting import waiting

    call_command("collectstatic", "--no-input", "-v0")
    call_command("sample")
    operator = Operator.objects.create_user("benchmark", None)
    Assignment.objects.create(operator=operator, role="maintainer", granted_by="benchmark")
    client = Client()
    client.force_login(operator)
    targets = [server.target() for server in Server.objects.all()]
    with waiting() as clock, drivers(targets) as asking:
        return [_measured(client, path, rounds, clock, asking) for path in paths()]


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


REFERENCES = ("/bare/", "/bare/asked/", "/bare/alone/")


def _measured(client: Client, path: str, rounds: int, clock: Waiting, asking: Drivers) -> Measured:
    from benchmarks.bare import show, show_alone, show_asked
    from benchmarks.visible import visible

    response = client.get(path)
    if response.status_code != 200:
        raise SystemExit(f"{path} answered {response.status_code}")
    seen = visible(response.content.decode())
    queries_count, trips = _counted(client, path, clock)
    show.takes(seen)
    show_alone.takes(seen)
    show_asked.takes(seen, [asking.asking(trip) for trip in trips])
    for reference in REFERENCES:
        client.get(reference)
    return Measured(
        path=path,
        rows_count=len(seen.rows),
        cells_count=seen.cells_count,
        queries_count=queries_count,
        trips_count=len(trips),
        rounds=[_round(client, path, clock) for _ in range(rounds)],
    )


def _round(client: Client, path: str, clock: Waiting) -> Round:
    page, bare, asked, alone = (_turn(client, each, clock) for each in (path, *REFERENCES))
    return Round(page=page, bare=bare, asked=asked, alone=alone)


def _counted(client: Client, path: str, clock: Waiting) -> tuple[int, list[Trip]]:
    """Queries to the console's own database, and the questions to managed servers, of one call over connections that are there."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    clock.reset()
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return len(queries), clock.trips


def _turn(client: Client, path: str, clock: Waiting) -> Turn:
    clock.reset()
    begun, busy = time.perf_counter(), time.process_time()
    client.get(path)
    return Turn(
        wall_ms=(time.perf_counter() - begun) * 1000,
        processor_ms=(time.process_time() - busy) * 1000,
        waited_ms=clock.waited_s * 1000,
    )


HEADINGS = (
    f"{'page':<34} {'rows':>4} {'cells':>5} {'sql':>3} {'trips':>5} {'page ms':>8} {'waits ms':>8} {'bare ms':>8}"
    f" {'ratio':>6} {'own':>6} {'cpu':>6} {'asked':>6} {'alone':>6}"
)


def _line(result: Measured) -> str:
    return (
        f"{result.path:<34} {result.rows_count:>4} {result.cells_count:>5} {result.queries_count:>3} {result.trips_count:>5}"
        f" {result.page_ms:>8.1f} {result.waited_ms:>8.1f} {result.bare_ms:>8.1f}"
        f" {result.ratio:>6.2f} {result.own_ratio:>6.2f} {result.processor_ratio:>6.2f}"
        f" {result.asked_ratio:>6.2f} {result.alone_ratio:>6.2f}"
    )


def report(results: list[Measured]) -> int:
    """The table, the medians, and which pages miss the limit and why. 1 when a page misses it."""
    print(HEADINGS, *map(_line, results), sep="\n")
    whole, own = [result.ratio for result in results], [result.own_ratio for result in results]
    asked = [result.asked_ratio for result in results]
    medians = [
        f"{name} {statistics.median(some):.2f} x" for name, some in (("", whole), ("own time", own), ("asked", asked))
    ]
    print("median", ", ".join(medians).strip())
    missing = [result for result in results if result.ratio > LIMIT]
    print(f"{len(results) - len(missing)} of {len(results)} pages take at most {LIMIT} times the bare page")
    for result in sorted(missing, key=lambda r: -r.ratio):
        print(f"  over: {result.path} at {result.ratio:.2f} x: {result.why}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
