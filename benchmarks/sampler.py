"""What sampling a fleet costs: 200 servers every 10 s by one process, beside a bare client that asks each of them once, in one run.

    make benchmark-sampler          (or: python -m benchmarks.sampler [--servers 200] [--seconds 120] [--sqlite])

The fleet is private: ten Redis with 16 databases each stand for 160 servers, 40 databases of one PostgreSQL for the others. The
console's own data lies in a PostgreSQL of its own, as for any fleet of more than five (`--sqlite` for the default of a small
one). The sampler is a process of its own that does what the sampling worker does: a pass every 10 s, gathering every minute. Told
are its processor time (all threads, in cores), how long passes took, what the targets spent on being looked at, and the time of
the overview with and without a sampler at work. The reference sends INFO, or one look at pg_stat_database, over kept connections.
Goal: less than half a core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from django.core.management import call_command

from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import SUPERUSER, EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis
from benchmarks import own_console

CACHE = Path(__file__).resolve().parent.parent / ".work" / "binaries"
EVERY_S = 10.0
DATABASES = 16
GOAL_CORES = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    redis: Sequence[EmbeddedRedis]
    postgres: EmbeddedPostgres
    redis_count: int
    postgres_count: int

    @property
    def pids(self) -> list[int]:
        return [pid for parent in (*(each.pid for each in self.redis), self.postgres.pid) for pid in _family(parent)]


def _family(pid: int | None) -> list[int]:
    """A process and its children: each session of a PostgreSQL is one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)] if pid else []


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time of these processes and of their children that ended."""
    total = 0
    for pid in pids:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(map(int, words[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def fleet(folder: Path, count: int) -> Iterator[Fleet]:
    postgres_count = count // 5
    redis_count = count - postgres_count
    with ExitStack() as stack:
        found = binaries.find_redis(CACHE)
        some = [EmbeddedRedis(found, folder / f"redis-{n}") for n in range(-(-redis_count // DATABASES))]
        postgres = EmbeddedPostgres(binaries.find_postgres(CACHE), folder / "postgres", durable=False)
        for server in some:
            stack.enter_context(server)
        stack.enter_context(postgres)
        with psycopg.connect(
            host=str(postgres.socket_dir), port=postgres.port, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            for n in range(postgres_count):
                connection.execute(f"CREATE DATABASE shop_{n}")
        yield Fleet(redis=some, postgres=postgres, redis_count=redis_count, postgres_count=postgres_count)


def register(servers: Fleet) -> None:
    from apps.servers.models import Server

    for n in range(servers.redis_count):
        where = servers.redis[n // DATABASES]
        Server.objects.create(
            key=f"cache-{n}",
            kind="redis",
            environment="dev",
            database=str(n % DATABASES),
            addresses=[{"host": str(where.socket), "port": 0}],
        )
    for n in range(servers.postgres_count):
        server = Server.objects.create(
            key=f"db-{n}",
            kind="postgres",
            environment="dev",
            database=f"shop_{n}",
            addresses=[{"host": str(servers.postgres.socket_dir), "port": servers.postgres.port}],
        )
        server.credentials.create(username=SUPERUSER)


def sampler(seconds: float) -> None:
    """The worker's part, in a process of its own. Prints a line when it is warm, and one when it is done."""
    from apps.history.forecasts import foretell
    from apps.history.rollups import roll_up
    from apps.history.sampler import sample_due

    sample_due(every_s=0)  # connections are made, sources and layouts written
    print("warm", flush=True)
    begun, before, passes = time.monotonic(), time.process_time(), []
    due = begun
    while due < begun + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        passes.append(sample_due())
        if len(passes) % 6 == 0:
            roll_up()
        due += EVERY_S
    foretell()
    time.sleep(max(0.0, due - time.monotonic()))
    wall = time.monotonic() - begun
    told = {
        "cores": (time.process_time() - before) / wall,
        "pass_s": statistics.median(one.took_s for one in passes),
        "slowest_s": max(one.took_s for one in passes),
        "asked": [one.asked_count for one in passes],
        "failed": sum(len(one.failed) for one in passes),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told), flush=True)


def bare(servers: Fleet, rounds: int) -> float:
    """Processor time in ms to ask each server one question over a kept connection, mean of all."""
    clients = [redis.Redis(unix_socket_path=str(server.socket), socket_timeout=5) for server in servers.redis]
    with psycopg.connect(
        host=str(servers.postgres.socket_dir), port=servers.postgres.port, user=SUPERUSER, dbname="postgres"
    ) as connection:

        def once() -> None:
            for n in range(servers.redis_count):
                clients[n // DATABASES].info()
            for _ in range(servers.postgres_count):
                connection.execute("SELECT * FROM pg_stat_database").fetchall()

        once()
        begun = time.process_time()
        for _ in range(rounds):
            once()
        took = time.process_time() - begun
    return took / rounds / (servers.redis_count + servers.postgres_count) * 1000


def page_ms(rounds: int, *, apart_s: float) -> float:
    """The overview in the test client, median, spread over time so that it meets every part of a pass."""
    from django.test import Client

    from apps.accounts.models import Operator

    client = Client()
    client.force_login(Operator.objects.get(username="benchmark"))
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        if client.get("/").status_code != 200:
            raise SystemExit("the overview did not answer")
        took.append((time.perf_counter() - begun) * 1000)
        time.sleep(apart_s)
    return statistics.median(took)


def samples_a_day() -> tuple[float, float]:
    """(rows, bytes of their figures) a server leaves a day at the raw level, from what was kept here."""
    from django.db.models import Max, Min

    from apps.history.models import Raw, Source

    span_s = Raw.objects.aggregate(span=Max("at_s") - Min("at_s"))["span"] or 1
    servers = Source.objects.values("server").distinct().count()
    size = sum(len(packed) for packed in Raw.objects.values_list("packed", flat=True).iterator())
    return Raw.objects.count() / span_s * 86_400 / servers, size / span_s * 86_400 / servers


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--servers", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=120)
    arguments.add_argument("--sqlite", action="store_true")
    arguments.add_argument("--sample", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.sample:
        own_console.set_up(chosen.sample)
        sampler(chosen.seconds)
        return 0
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        if not chosen.sqlite:
            own = EmbeddedPostgres(
                binaries.find_postgres(CACHE), folder / "console", password="benchmark", tcp_port=0, durable=False
            )
            stack.enter_context(own)
            os.environ["DATABASE_URL"] = f"postgres://{SUPERUSER}:benchmark@127.0.0.1:{own.port}/postgres"
        servers = stack.enter_context(fleet(folder, chosen.servers))
        own_console.set_up(folder / "data")
        call_command("collectstatic", "--noinput", "-v0")
        from apps.accounts.models import Assignment, Operator

        operator = Operator.objects.create_user("benchmark", None)
        Assignment.objects.create(operator=operator, role="viewer", granted_by="benchmark")
        register(servers)
        return report(servers, chosen.seconds, folder / "data")


def report(servers: Fleet, seconds: float, data: Path) -> int:
    """Runs the sampler and prints the figures. 1 when a goal is missed."""
    count = servers.redis_count + servers.postgres_count
    reference_ms = bare(servers, rounds=5)
    idle, begun = cpu_s(servers.pids), time.monotonic()
    time.sleep(10)
    idle_cores = (cpu_s(servers.pids) - idle) / (time.monotonic() - begun)
    words = [sys.executable, "-m", "benchmarks.sampler", "--sample", str(data), "--seconds", str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "warm":
            raise SystemExit("the sampler did not begin")
        looked, begun = cpu_s(servers.pids), time.monotonic()
        beside_ms = page_ms(30, apart_s=seconds / 40)
        told = json.loads(process.stdout.readline())
        looked_cores = (cpu_s(servers.pids) - looked) / (time.monotonic() - begun)
    alone_ms = page_ms(30, apart_s=0.2)
    rows, size = samples_a_day()
    ours_ms = told["cores"] * EVERY_S * 1000 / count
    print(f"{count} servers every {EVERY_S:g} s for {seconds:g} s: {sum(told['asked'])} looks, {told['failed']} failed")
    print(f"sampler: {told['cores']:.3f} cores, {told['memory_mib']:.0f} MiB")
    print(f"passes: {told['pass_s']:.1f} s, the slowest {told['slowest_s']:.1f} s")
    print(
        f"a look: {ours_ms:.1f} ms of the processor, {ours_ms / reference_ms:.1f} x the bare question ({reference_ms:.2f} ms)"
    )
    print(f"targets: {(looked_cores - idle_cores) / count:.2%} of a core each (idle {idle_cores / count:.2%})")
    print(f"overview: {beside_ms:.1f} ms beside the sampler, {alone_ms:.1f} ms without, {beside_ms / alone_ms:.2f} x")
    print(f"kept: {rows:,.0f} raw rows a server and day, {size / 1e6:.1f} MB of figures")
    met = told["cores"] < GOAL_CORES and not told["failed"]
    print(f"{'met ' if met else 'MISSED'}  less than {GOAL_CORES} cores, nothing failed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
