"""What looking costs: every probe asked again and again on a quiet private server, and what a whole pass sends.

    make benchmark-probes           (or: python -m benchmarks.probes [--rounds 50] [--keys 10000] [--tables 200])

`sent` are commands or statements; `server` is the time the server says it worked on them (INFO commandstats; pg_stat_statements,
planning included, where the server has it); `took` is what the sampler waited. Medians, over a connection that is kept, without what
counting itself costs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import SUPERUSER, EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis
from benchmarks import own_console

if TYPE_CHECKING:
    from apps.engine.contracts.probe import Probe
    from apps.engine.target import Target

CACHE = Path(__file__).resolve().parent.parent / ".work" / "binaries"
PASS_S = 10.0
Counted = Callable[[], tuple[float, float]]  # what was sent so far, and for how many µs the server worked on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one read; `passes` is how many passes go by from one to the next."""

    key: str
    passes: float
    sent_count: float
    server_us: float
    took_us: float


def cost(probe: Probe, target: Target, counted: Counted, rounds: int) -> Cost:
    for _ in range(3):
        probe.read(target)
    seen = [_once(lambda: probe.read(target), counted) for _ in range(rounds)]
    none = [_once(lambda: None, counted) for _ in range(rounds)]
    sent, server_us, took_us = (
        statistics.median(one[n] for one in seen) - statistics.median(one[n] for one in none) for n in range(3)
    )
    return Cost(
        key=probe.key,
        passes=max(probe.every_s / PASS_S, 1.0),
        sent_count=sent,
        server_us=server_us,
        took_us=took_us,
    )


def _once(work: Callable[[], object], counted: Counted) -> tuple[float, float, float]:
    sent_before, us_before = counted()
    begun = time.perf_counter()
    work()
    took_us = (time.perf_counter() - begun) * 1e6
    sent, us = counted()
    return sent - sent_before, us - us_before, took_us


def counting_redis(server: EmbeddedRedis) -> Counted:
    import redis

    client = redis.Redis(unix_socket_path=str(server.socket))

    def counted() -> tuple[float, float]:
        told = client.info("commandstats").values()
        return sum(each["calls"] for each in told), sum(each["usec"] for each in told)

    return counted


def counting_postgres(server: EmbeddedPostgres) -> Counted:
    import psycopg

    connection = psycopg.connect(host=str(server.socket_dir), port=server.port, user=SUPERUSER, autocommit=True)
    connection.execute("CREATE EXTENSION pg_stat_statements")

    def counted() -> tuple[float, float]:
        row = connection.execute(
            "SELECT sum(calls), sum(total_exec_time + total_plan_time) * 1000 FROM pg_stat_statements"
            " WHERE query NOT LIKE '%pg_stat_statements%'"
        ).fetchone()
        return (float(row[0] or 0), float(row[1] or 0)) if row else (0.0, 0.0)

    return counted


def fill_redis(server: EmbeddedRedis, keys: int) -> None:
    import redis

    client = redis.Redis(unix_socket_path=str(server.socket))
    pipe = client.pipeline()
    for n in range(keys):
        pipe.set(f"order:{n}", "x" * 50)
    for n in range(10):
        pipe.sadd("rq:queues", f"rq:queue:q{n}")
        pipe.rpush(f"rq:queue:q{n}", "job")
    pipe.execute()


def fill_postgres(server: EmbeddedPostgres, tables: int) -> None:
    import psycopg

    with psycopg.connect(host=str(server.socket_dir), port=server.port, user=SUPERUSER, autocommit=True) as connection:
        for n in range(tables):
            connection.execute(f"CREATE TABLE orders_{n} (id serial PRIMARY KEY, body text)")
            connection.execute(f"INSERT INTO orders_{n} (body) SELECT repeat('x', 100) FROM generate_series(1, 100)")
        connection.execute("VACUUM ANALYZE")


def measured(kind: str, target: Target, counted: Counted, rounds: int) -> list[Cost]:
    from apps.engine.target import Kind
    from apps.history.catalogue import probes_of

    return [cost(probe, target, counted, rounds) for probe in probes_of(Kind(kind))]


def shown(title: str, costs: list[Cost]) -> str:
    lines = [f"{title}", "", "| probe | every | sent | server | took |", "|---|---|---|---|---|"]
    lines += [
        f"| `{c.key}` | {c.passes * PASS_S:g} s | {c.sent_count:g} | {c.server_us:,.0f} µs | {c.took_us:,.0f} µs |"
        for c in costs
    ]
    sent, server_us, took_us = (
        sum(getattr(c, name) / c.passes for c in costs) for name in ("sent_count", "server_us", "took_us")
    )
    lines.append(f"| a pass of 10 s, on average | | {sent:.1f} | {server_us:,.0f} µs | {took_us:,.0f} µs |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 50), ("keys", 10_000), ("tables", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sb-probes-") as made:
        folder = Path(made)
        folder.chmod(0o711)
        own_console.set_up(folder)
        from apps.engine.connections.addresses import AddressPolicy
        from apps.engine.target import Address, Kind, Target

        policy = AddressPolicy(sockets=True)
        with EmbeddedRedis(binaries.find_redis(CACHE), folder / "redis") as redis:
            fill_redis(redis, chosen.keys)
            place = (Address(host=str(redis.socket), port=0),)
            target = Target(id="redis", name="redis", kind=Kind.REDIS, addresses=place, policy=policy)
            print(shown(redis.binary.label, measured("redis", target, counting_redis(redis), chosen.rounds)))
        tracked = {"pg_stat_statements.track_planning": "on", "pg_stat_statements.track_utility": "off"}
        with EmbeddedPostgres(
            binaries.find_postgres(CACHE), folder / "postgres", settings=tracked, preload=("pg_stat_statements",)
        ) as postgres:
            fill_postgres(postgres, chosen.tables)
            place = (Address(host=str(postgres.socket_dir), port=postgres.port),)
            target = Target(
                id="pg",
                name="pg",
                kind=Kind.POSTGRES,
                addresses=place,
                database="postgres",
                username=SUPERUSER,
                policy=policy,
            )
            costs = measured("postgres", target, counting_postgres(postgres), chosen.rounds)
            print(shown(postgres.binaries.label, costs))


if __name__ == "__main__":
    main()
