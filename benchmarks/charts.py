"""Whether a chart of 400 days takes longer the more is kept: a server's page and its lines, with 4, 40 and 400 days of samples.

    make benchmark-charts           (or: python -m benchmarks.charts [--rounds 15])

The same console, the same server, the same figures; only the days differ. Times are medians in ms, in the test client, of the page
(`/servers/<key>/?range=400d`) and of the data its script fetches. The reference is the page with four days.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.management import call_command

from benchmarks import own_console

if TYPE_CHECKING:
    from django.test import Client

DAY_S = 86_400
FIGURES = (
    "clients_count", "evicted_per_s", "hit_ratio", "keys_count", "latency_s", "ops_per_s", "used_memory_bytes",
    *(f"other_{n:02}" for n in range(40)),
)  # fmt: skip


def fill(days: int) -> None:
    """Quarters and shifts of so many days, up to now: what charts of 400 days are made of."""
    from apps.history import store
    from apps.history.levels import QUARTER, SHIFT
    from apps.history.models import Held, Mark
    from apps.servers.models import Server

    server = Server.objects.get(key="orders-cache")
    now = int(time.time()) // SHIFT.step_s * SHIFT.step_s
    names = tuple(sorted(FIGURES))
    source, layout = store.source_of(server.pk, "", "redis_info"), store.layout_of(names)
    Held.objects.update_or_create(
        source_id=source, layout_id=layout, defaults={"first_s": now - days * DAY_S, "last_s": None}
    )
    for level in (QUARTER, SHIFT):
        moments = range(now - days * DAY_S, now, level.step_s)
        store.write(
            level,
            [
                level.model(
                    source_id=source,
                    at_s=at,
                    layout_id=layout,
                    packed=array(
                        "f", [0.5 + math.sin(at / DAY_S) / 4 for _ in range(3 * len(names))] + [90.0] * len(names)
                    ).tobytes(),
                )
                for at in moments
            ],
        )
        Mark.objects.update_or_create(level=level.name, defaults={"until_s": now})


def median_ms(client: Client, path: str, rounds: int) -> float:
    took = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        if client.get(path).status_code != 200:
            raise SystemExit(f"{path} did not answer")
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took[1:])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=15)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as folder:
        own_console.set_up(Path(folder))
        call_command("collectstatic", "--noinput", "-v0")
        from django.test import Client
        from django.utils import timezone

        from apps.accounts.models import Assignment, Operator
        from apps.history.models import LastKnown
        from apps.servers.models import Server

        operator = Operator.objects.create_user("benchmark", None)
        Assignment.objects.create(operator=operator, role="viewer", granted_by="benchmark")
        server = Server.objects.create(
            key="orders-cache", kind="redis", environment="dev", addresses=[{"host": "127.0.0.1", "port": 1}]
        )
        LastKnown.objects.create(
            server=server, tried_at=timezone.now(), figures_at=timezone.now(), figures={"role": "primary"}
        )
        client = Client()
        client.force_login(operator)
        first: tuple[float, float] | None = None
        print(f"{'days':>5} {'page ms':>8} {'ratio':>6} {'lines ms':>9} {'ratio':>6}")
        for days in (4, 40, 400):
            fill(days)
            page = median_ms(client, "/servers/orders-cache/?range=400d", chosen.rounds)
            lines = median_ms(client, "/servers/orders-cache/chart.json?range=400d", chosen.rounds)
            first = first or (page, lines)
            print(f"{days:>5} {page:>8.1f} {page / first[0]:>6.2f} {lines:>9.1f} {lines / first[1]:>6.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
