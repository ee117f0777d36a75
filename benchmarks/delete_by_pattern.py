"""Delete 500,000 of 1,000,000 keys by pattern, against the shell recipe, in one run.

    make benchmark-delete           (or: python -m benchmarks.delete_by_pattern [--keys 1000000] [--rounds 3])

The reference is what people paste into a shell: `redis-cli --scan --pattern P | xargs -n 1000 redis-cli unlink`. Ours is the
whole action as a worker runs it, its progress, checkpoints and audit included: at full speed without an archive, at full speed
with one (each key kept, encrypted and synced before it goes), and paced, as it runs by default. All on one private Redis, in
turn, so the machine's noise meets all of them. Beside each a second client sends GET a thousand times a second and counts how
long it waited, from the moment at which it should have sent (so a stall is not counted once but for every GET it delayed).
Goals: 2.0 x the recipe without an archive, 0.8 x with one, and a paced p99 less than 1 ms above that of an idle server.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.engine.embedded import binaries
from apps.engine.embedded.redis import EmbeddedRedis
from benchmarks import own_console

if TYPE_CHECKING:
    from apps.operations.models import Run

CACHE = Path(__file__).resolve().parent.parent / ".work" / "binaries"
PATTERN = "del:*"
VALUE = b"v" * 100
PROBE = """
import socket, sys, time
line = socket.socket(socket.AF_UNIX); line.connect(sys.argv[1]); line.settimeout(30)
ends_at, due, waits = time.perf_counter() + float(sys.argv[2]), time.perf_counter(), []
while time.perf_counter() < ends_at and not sys.stdin.closed:
    due += 0.001
    left = due - time.perf_counter()
    if left > 0: time.sleep(left)
    line.sendall(b"*2\\r\\n$3\\r\\nGET\\r\\n$5\\r\\nprobe\\r\\n"); line.recv(64)
    waits.append((time.perf_counter(), time.perf_counter() - due))
    if len(waits) % 100 == 0:
        print(";".join(f"{at:.4f},{wait:.6f}" for at, wait in waits), flush=True); waits = []
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One way in one round. Waits in ms, of the second client."""

    way: str
    keys_count: int
    took_s: float
    p50_ms: float
    p99_ms: float
    most_ms: float

    @property
    def per_s(self) -> float:
        return self.keys_count / self.took_s


def fill(socket: Path, keys: int) -> None:
    """Half of the keys match. Packed by hand: a client library would take longer than all measurements."""
    lines = []
    for n in range(keys):
        name = b"del:%d" % n if n % 2 else b"keep:%d" % n
        lines.append(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(VALUE), VALUE))
    subprocess.run(["redis-cli", "-s", socket, "--pipe"], input=b"".join(lines), check=True, stdout=subprocess.DEVNULL)


class Probe:
    """The second client, a process of its own: no lock of ours can make it wait."""

    def __init__(self, socket: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROBE, str(socket), "3600"], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )
        self._waits: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._waits += [tuple(map(float, pair.split(","))) for pair in line.split(";")]  # type: ignore[misc]

    def between(self, begun: float, ended: float) -> list[float]:
        """Waits in ms, sorted. The clock is the machine's, so both processes mean the same moment."""
        time.sleep(0.3)
        return sorted(wait * 1000 for at, wait in self._waits if begun <= at <= ended) or [0.0]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def timed(way: str, probe: Probe, keys: int, work: Callable[[], object]) -> Measured:
    begun = time.perf_counter()
    work()
    ended = time.perf_counter()
    waits = probe.between(begun, ended)
    return Measured(
        way=way,
        keys_count=keys,
        took_s=ended - begun,
        p50_ms=statistics.median(waits),
        p99_ms=waits[int(len(waits) * 0.99)],
        most_ms=waits[-1],
    )


def recipe(socket: Path) -> None:
    cli = f"redis-cli -s {socket}"
    subprocess.run(
        f"{cli} --scan --pattern '{PATTERN}' | xargs -n 1000 {cli} unlink > /dev/null", shell=True, check=True
    )


@contextmanager
def console(socket: Path, folder: Path) -> Iterator[Callable[..., Callable[[], None]]]:
    """The console's own data in `folder`, and `deleting(pace=..., archive=...)`: a run that was planned and submitted."""
    own_console.set_up(folder)
    from django.urls import reverse

    reverse("operations:runs")  # a worker has loaded all routes long before its first run
    yield _deleting(socket)


def _deleting(socket: Path) -> Callable[..., Callable[[], None]]:
    from apps.accounts.models import Assignment, Operator
    from apps.operations import execution, planning
    from apps.operations.catalogue import action_for
    from apps.operations.guard import Given
    from apps.operations.models import Run
    from apps.servers.models import Server
    from benchmarks.people import actor

    operator = Operator.objects.create_user("benchmark", None)
    Assignment.objects.create(operator=operator, role="maintainer", granted_by="benchmark")
    server = Server.objects.create(
        key="target", kind="redis", environment="dev", addresses=[{"host": str(socket), "port": 6379}]
    )

    def deleting(**params: Any) -> Callable[[], None]:
        Run.objects.all().update(created_at="2020-01-01T00:00Z")  # the limit of three an hour is not what is measured
        action = action_for("keyspace.delete_pattern")
        plan = planning.make_plan(actor(operator), action, server, action.params(pattern=PATTERN.encode(), **params))
        if plan.state == "waiting":
            planning.plan_in_background(plan.pk)
            plan.refresh_from_db()
        run = execution.submit(actor(operator), plan, Given(reason="a benchmark")).run
        return lambda: _carry_out(run)

    return deleting


def _carry_out(run: Run) -> None:
    from apps.operations import execution

    execution.execute(run.pk)
    run.refresh_from_db()
    if run.state != "done":
        raise SystemExit(f"the run ended {run.state}: {run.outcome}")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--keys", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as folder:
        server = EmbeddedRedis(binaries.find_redis(CACHE), Path(folder) / "redis")
        with server, console(server.socket, Path(folder) / "data") as deleting:
            rounds = [measure(server.socket, deleting, chosen.keys) for _ in range(chosen.rounds)]
    return report(rounds)


def measure(socket: Path, deleting: Callable[..., Callable[[], None]], keys: int) -> list[Measured]:
    probe = Probe(socket)
    half = keys // 2
    try:
        fill(socket, keys)
        found = [timed("idle", probe, 1, lambda: time.sleep(5))]
        found.append(timed("recipe", probe, half, lambda: recipe(socket)))
        for way, params in (
            ("full speed, no archive", {"pace": "full", "archive": False}),
            ("full speed, archive", {"pace": "full"}),
            ("paced, archive", {}),
        ):
            fill(socket, keys)
            found.append(timed(way, probe, half, deleting(**params)))
            print(f"  {found[-1].way}: {found[-1].took_s:.1f} s", file=sys.stderr)
    finally:
        probe.stop()
    return found


def report(rounds: list[list[Measured]]) -> int:
    """Medians over the rounds, and each goal. 1 when one is missed."""
    ways = [each.way for each in rounds[0]]
    median = {
        way: {
            name: statistics.median(getattr(each, name) for found in rounds for each in found if each.way == way)
            for name in ("per_s", "took_s", "p50_ms", "p99_ms", "most_ms")
        }
        for way in ways
    }
    print(f"{'way':<24} {'keys/s':>9} {'s':>7} {'p50 ms':>7} {'p99 ms':>7} {'max ms':>7} {'ratio':>6}")
    for way, figures in median.items():
        ratio = "" if way == "idle" else f"{figures['per_s'] / median['recipe']['per_s']:.2f}"
        print(
            f"{way:<24} {figures['per_s']:>9,.0f} {figures['took_s']:>7.2f} {figures['p50_ms']:>7.2f}"
            f" {figures['p99_ms']:>7.2f} {figures['most_ms']:>7.1f} {ratio:>6}"
        )
    speed = {way: figures["per_s"] / median["recipe"]["per_s"] for way, figures in median.items()}
    rise = median["paced, archive"]["p99_ms"] - median["idle"]["p99_ms"]
    goals = [
        ("without an archive at least 2.0 x the recipe", speed["full speed, no archive"] >= 2.0),
        ("with an archive at least 0.8 x the recipe", speed["full speed, archive"] >= 0.8),
        (f"paced, p99 of the second client rises by less than 1 ms ({rise:+.2f} ms)", rise < 1.0),
    ]
    for words, met in goals:
        print(f"{'met ' if met else 'MISSED'}  {words}")
    return 0 if all(met for _, met in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
