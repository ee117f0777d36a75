"""Back up one Redis and one PostgreSQL, against the programs that people use, in one run.

    make benchmark-backups          (or: python -m benchmarks.backups [--keys 300000] [--rows 1000000] [--rounds 3])

The references write a plain file: `redis-cli --rdb FILE` and `pg_dump -Fc -f FILE`, as they come. Ours is the whole action as a worker
runs it: the stream checked, compressed, encrypted, synced and put in place, with its progress and its audit. The values are JSON that
compresses as such data does. On private servers, in turn, so the machine's noise meets all of them. A ratio over 1 is slower than the
reference; goals: 1.3 x redis-cli --rdb, 1.0 x pg_dump -Fc, and no larger file.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import SUPERUSER, EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis
from benchmarks import own_console

if TYPE_CHECKING:
    from apps.operations.models import Run

CACHE = Path(__file__).resolve().parent.parent / ".work" / "binaries"
Taking: TypeAlias = Callable[[str], Callable[[], int]]
GOALS = {"redis": 1.3, "postgres": 1.0}
DATABASE = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One way in one round."""

    kind: str
    way: str
    took_s: float
    size_bytes: int


def value(n: int) -> str:
    """An order of some 300 bytes."""
    some = random.Random(n)
    lines = [
        {"sku": f"A-{some.randrange(10**6)}", "count": some.randrange(9), "price": some.randrange(10**5) / 100}
        for _ in range(4)
    ]
    return json.dumps({"id": n, "customer": some.randrange(10**7), "at": 1_700_000_000 + n, "lines": lines})


def fill_redis(server: EmbeddedRedis, keys: int) -> None:
    words = []
    for n in range(keys):
        name, held = b"order:%d" % n, value(n).encode()
        words.append(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(held), held))
    pipe = ["redis-cli", "-s", str(server.socket), "--pipe"]
    subprocess.run(pipe, input=b"".join(words), check=True, stdout=subprocess.DEVNULL)


def fill_postgres(server: EmbeddedPostgres, rows: int) -> None:
    import psycopg

    with psycopg.connect(host=str(server.socket_dir), port=server.port, user=SUPERUSER, dbname=DATABASE) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, body jsonb)")
        with connection.cursor().copy("COPY orders FROM STDIN") as copy:
            for n in range(rows):
                copy.write_row((n, value(n)))
    with psycopg.connect(
        host=str(server.socket_dir), port=server.port, user=SUPERUSER, dbname=DATABASE, autocommit=True
    ) as connection:
        connection.execute("VACUUM ANALYZE orders")


@contextmanager
def console(folder: Path, redis: EmbeddedRedis, postgres: EmbeddedPostgres) -> Iterator[Taking]:
    """The console's own data in `folder`, and `take(kind)`: a run that was planned and submitted, to be carried out."""
    own_console.set_up(folder)
    yield _taking(redis, postgres)


def _taking(redis: EmbeddedRedis, postgres: EmbeddedPostgres) -> Taking:
    from apps.accounts.models import Assignment, Operator
    from apps.operations import execution, planning
    from apps.operations.catalogue import action_for
    from apps.operations.guard import Given
    from apps.operations.models import Run
    from apps.servers.models import Server
    from benchmarks.people import actor

    operator = Operator.objects.create_user("benchmark", None)
    Assignment.objects.create(operator=operator, role="maintainer", granted_by="benchmark")
    places: dict[str, dict[str, Any]] = {
        "redis": {"addresses": [{"host": str(redis.socket), "port": 1}]},
        "postgres": {"addresses": [{"host": str(postgres.socket_dir), "port": postgres.port}], "database": DATABASE},
    }
    servers = {kind: Server.objects.create(key=kind, kind=kind, environment="dev", **p) for kind, p in places.items()}
    servers["postgres"].credentials.create(profile="monitor", username=SUPERUSER)

    def take(kind: str) -> Callable[[], int]:
        Run.objects.all().update(created_at="2020-01-01T00:00Z")  # the limit of an operator is not what is measured
        action = action_for("backups.take_rdb" if kind == "redis" else "backups.take_dump")
        plan = planning.make_plan(actor(operator), action, servers[kind], action.params())
        run = execution.submit(actor(operator), plan, Given(reason="a benchmark")).run
        return lambda: _carry_out(run, kind)

    return take


def _carry_out(run: Run, kind: str) -> int:
    """As a worker does. Gives the size of the backup."""
    from apps.backups import folder
    from apps.operations import execution

    execution.execute(run.pk)
    run.refresh_from_db()
    if run.state != "done":
        raise SystemExit(f"the run ended {run.state}: {run.outcome}")
    manifest = folder.listed(kind)[0].manifest
    assert manifest is not None
    return manifest.size_bytes


def timed(kind: str, way: str, begin: Callable[[], Callable[[], int]]) -> Measured:
    work = begin()
    begun = time.perf_counter()
    size_bytes = work()
    found = Measured(kind=kind, way=way, took_s=time.perf_counter() - begun, size_bytes=size_bytes)
    print(f"  {kind}, {way}: {found.took_s:.2f} s, {found.size_bytes / 1e6:.1f} MB", file=sys.stderr)
    return found


def reference(words: list[str], file: Path) -> Callable[[], Callable[[], int]]:
    def work() -> int:
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return file.stat().st_size

    def begin() -> Callable[[], int]:
        file.unlink(missing_ok=True)
        return work

    return begin


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--keys", type=int, default=300_000)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as folder:
        Path(folder).chmod(0o711)  # an unprivileged PostgreSQL passes through
        settings = {"repl-diskless-sync-delay": "0"}
        redis = EmbeddedRedis(binaries.find_redis(CACHE), Path(folder) / "redis", settings=settings)
        found = binaries.find_postgres(CACHE)
        postgres = EmbeddedPostgres(found, Path(folder) / "postgres", durable=False)
        with redis, postgres, console(Path(folder) / "data", redis, postgres) as take:
            fill_redis(redis, chosen.keys)
            fill_postgres(postgres, chosen.rows)
            rdb, dump = Path(folder) / "plain.rdb", Path(folder) / "plain.dump"
            where = f"host={postgres.socket_dir} port={postgres.port} user={SUPERUSER} dbname={DATABASE}"
            pg_dump = [str(found.bin_dir / "pg_dump"), "-Fc", "-f", str(dump), "-d", where]
            ways = (
                ("redis", "redis-cli --rdb", reference(["redis-cli", "-s", str(redis.socket), "--rdb", str(rdb)], rdb)),
                ("redis", "the console", lambda: take("redis")),
                ("postgres", "pg_dump -Fc", reference(pg_dump, dump)),
                ("postgres", "the console", lambda: take("postgres")),
            )
            rounds = [timed(*way) for _ in range(chosen.rounds) for way in ways]
    return report(rounds)


def report(rounds: list[Measured]) -> int:
    """Medians over the rounds, and each goal. 1 when one is missed."""
    missed = 0
    print(f"{'server':<10} {'way':<18} {'s':>8} {'MB':>8} {'time':>7} {'size':>7}")
    for kind, goal in GOALS.items():
        mine = [each for each in rounds if each.kind == kind]
        ways = list(dict.fromkeys(each.way for each in mine))
        took = {way: statistics.median(e.took_s for e in mine if e.way == way) for way in ways}
        size = {way: statistics.median(e.size_bytes for e in mine if e.way == way) for way in ways}
        first = ways[0]
        for way in ways:
            ratios = f"{took[way] / took[first]:>6.2f}x {size[way] / size[first]:>6.2f}x"
            print(f"{kind:<10} {way:<18} {took[way]:>8.2f} {size[way] / 1e6:>8.1f} {ratios}")
        ours = ways[1]
        is_met = took[ours] <= goal * took[first] and size[ours] <= size[first]
        missed += not is_met
        print(f"  goal: at most {goal:.1f} x the time and no larger: {'met' if is_met else 'MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
